"""What the system calls of a server say: how much of its log was on the disk when each answer was sent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_UNFINISHED = " <unfinished ...>"
_FILE = re.compile(r"\d+<(?P<path>[^>]*)>")
_RESULT = re.compile(r"= (?P<result>-?\d+)[^=]*$")
_WRITTEN = re.compile(r", (?P<length>\d+), (?P<offset>\d+)\) *= (?P<result>-?\d+)")

SENDING = {"write", "writev", "sendto", "sendmsg"}
SYNCING = {"fsync", "fdatasync"}


@dataclass(slots=True)
class Seen:
    """
    What a trace showed: for each answer in the order in which they were sent, how many bytes of the log were synced.

    *new_name_is_synced* says, for each answer, whether the folder has been
    synced since the log was made in it.
    """

    synced: list[int] = field(default_factory=list)
    new_name_is_synced: list[bool] = field(default_factory=list)
    begun_again: bool = False


class _Follower:
    def __init__(self, log: str) -> None:
        self._log = log
        self._folder = log.rpartition("/")[0]
        self._written = 0
        self._synced = 0
        self._name_is_synced = False
        self._begun: dict[str, tuple[str, str]] = {}
        self._before_sync: dict[str, int] = {}
        self.seen = Seen()

    def follow(self, line: str) -> None:
        if (resumed := _RESUMED.match(line)) is not None:
            name, begun = self._begun.pop(resumed["thread"], (resumed["name"], ""))
            self._ends(resumed["thread"], name, begun + resumed["rest"])
        elif (call := _CALL.match(line)) is not None:
            self._begins(call["thread"], call["name"], call["rest"])
            if line.endswith(_UNFINISHED):
                self._begun[call["thread"]] = (call["name"], call["rest"].removesuffix(_UNFINISHED))
            else:
                self._ends(call["thread"], call["name"], call["rest"])

    def _begins(self, thread: str, name: str, rest: str) -> None:
        if name in SYNCING:
            # A sync answers for what had been written when it was asked for, and no more.
            self._before_sync[thread] = self._written
        if name in SENDING and '"HTTP/1.1 ' in rest:
            self.seen.synced.append(self._synced)
            self.seen.new_name_is_synced.append(self._name_is_synced)

    def _ends(self, thread: str, name: str, rest: str) -> None:
        file = _FILE.match(rest)
        path = "" if file is None else file["path"]
        result = _RESULT.search(rest)
        if name == "pwrite64" and path == self._log and (written := _WRITTEN.search(rest)) is not None:
            offset = int(written["offset"])
            self.seen.begun_again = self.seen.begun_again or offset < self._written
            self._written = offset + int(written["result"])
        if name in SYNCING and result is not None and result["result"] == "0":
            if path == self._log:
                self._synced = max(self._synced, self._before_sync[thread])
            if path == self._folder:
                self._name_is_synced = True
        if name == "openat" and f'"{self._log}"' in rest and "O_CREAT" in rest and not self._written:
            self._name_is_synced = False


def read(lines: Iterable[str], *, log: str) -> Seen:
    """Read a trace; *log* is the path of the database's write-ahead log."""
    follower = _Follower(log)
    for line in lines:
        follower.follow(line.rstrip("\n"))
    return follower.seen
