"""A server that waits for a locked database a tenth of a second, not five; it has every guard."""

from stagedoor.adapters.embedded import sqlite_file
from tests.e2e.harness.removed_guard import run

sqlite_file.BUSY_TIMEOUT_MS = 100
run()
