"""A line whose store takes a turn from whoever brings it, planned on whatever it was, however long ago."""

from stagedoor.adapters.redis import client
from tests.cluster.falls_asleep import run
from tests.e2e.harness.removed_guard import replace

FENCE = (
    "redis.call('GET', LEASE) ~= ARGV[6]",
    "(redis.call('HGET', HEAD, 'binding') or '0') ~= ARGV[7]",
    "now_ms() > tonumber(ARGV[8])",
)


class Unfenced(client.Script):
    """A script without it."""

    def __init__(self, name: str) -> None:
        """Read the script, and take the fence out of that for turns."""
        super().__init__(name)
        for condition in FENCE if name == "turn" else ():
            assert condition in self.text, f"the script has no {condition}: nothing is removed"
            self.text = self.text.replace(condition, "false")
        self.digest = client.digest_of(self.text)


if __name__ == "__main__":
    replace(client, "Script", Unfenced)
    run()
