"""A Redis whose clock is wrong: what its scripts are told is moved by as much as a test says, at any time."""

from typing import Final

from typing_extensions import override

from stagedoor.adapters.redis import client
from stagedoor.adapters.redis.client import Reply

MOVED_MS: Final = "moved-ms"
"""The key that says by how much the clock is moved; without it the clock is right."""

_ASKED = "local time = redis.call('TIME')"
_MOVED = f"{_ASKED}\n  time[1] = time[1] + (redis.call('GET', '{MOVED_MS}') or 0) / 1000"


class MovedScript(client.Script):
    """A script to which the time is what the key says."""

    @override
    def __init__(self, name: str) -> None:
        super().__init__(name)
        assert self.text.count(_ASKED) == 1, "the scripts ask for the time elsewhere: nothing is moved"
        self.text = self.text.replace(_ASKED, _MOVED)
        self.digest = client.digest_of(self.text)


def now_of(reply: Reply) -> int:
    """Return what the store said the time is, in the reply of a script."""
    return int(reply[1])
