"""A line whose store takes the key of a join from whoever brings it, whatever another process has stored meanwhile."""

from stagedoor.adapters.redis import client
from tests.cluster.stores_keys_late import run
from tests.e2e.harness.removed_guard import replace

COMPARED = "stored == ARGV[i + 1]"


class Careless(client.Script):
    """A script without the comparison."""

    def __init__(self, name: str) -> None:
        """Read the script, and take the comparison out of that for keys."""
        super().__init__(name)
        if name == "remember":
            assert COMPARED in self.text, f"the script has no {COMPARED}: nothing is removed"
            self.text = self.text.replace(COMPARED, "true")
        self.digest = client.digest_of(self.text)


if __name__ == "__main__":
    replace(client, "Script", Careless)
    run()
