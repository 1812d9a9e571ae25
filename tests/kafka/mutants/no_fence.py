"""The store without its fence: it believes whoever slept."""

from stagedoor.adapters.sql import outbox
from tests.e2e.harness.removed_guard import replace
from tests.kafka.falls_asleep import run

if __name__ == "__main__":
    replace(outbox, "refuse_sleepers", lambda *_: None)
    run()
