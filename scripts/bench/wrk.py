"""One round of wrk on the client's core, and what came of it."""

import resource
import shutil
import subprocess
from collections.abc import Sequence

import msgspec

from scripts.bench.cores import Cores, pinned

MISSING = "make bench measures with wrk, which is not on the PATH: install it (on Debian and Ubuntu: apt install wrk)."
_BEYOND_THE_ROUND_S = 30


class WrkFailedError(Exception):
    """Wrk did not run to its end."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one round came to.

    *answered* counts answers, *finished* what the row counts (of orders: those paid), *wrong* the answers that were not
    200 with the right body, *broken* lost connections. *taken* is how many of what it had to ask for
    it has begun. *cpu_ns* is what the server used, *engines_ns* what the engines used that it works with, *lent_ns*
    what another server used of its core meanwhile, *client_ns* what wrk used.
    """

    answered: int
    finished: int
    wrong: int
    broken: int
    us: int
    p50_us: int
    p99_us: int
    taken: int
    sample: str = ""
    cpu_ns: int = 0
    engines_ns: int = 0
    lent_ns: int = 0
    client_ns: int = 0

    @property
    def is_void(self) -> bool:
        """Whether it says nothing: not every answer was right, or there was none."""
        return bool(self.wrong or self.broken or not self.finished)

    @property
    def rps(self) -> float:
        """How many were finished in a second of the core that was the server's own."""
        return self.finished * 1e6 / (self.us - self.lent_ns / 1e3)

    @property
    def cpu_us(self) -> float:
        """How many microseconds of processor time the server took for each."""
        return self.cpu_ns / 1e3 / self.finished

    @property
    def engines_cpu_us(self) -> float:
        """How many microseconds the engines took for each."""
        return self.engines_ns / 1e3 / self.finished

    @property
    def all_cpu_us(self) -> float:
        """How many microseconds both took for each."""
        return self.cpu_us + self.engines_cpu_us

    @property
    def core_share(self) -> float:
        """Which part of its core the server had: 1 if it was never idle and nobody else was there."""
        return self.cpu_ns / (self.us * 1e3 - self.lent_ns)

    @property
    def client_share(self) -> float:
        """Which part of its core the client had: where that is nearly 1, it is the client that is measured."""
        return self.client_ns / (self.us * 1e3)

    def complaint(self) -> str:
        """Say what is wrong with it."""
        first = bytes.fromhex(self.sample).decode(errors="replace")
        return f"{self.wrong} of {self.answered} answers wrong, {self.broken} broken; the first: {first!r}"


def is_here() -> bool:
    """Tell whether there is a wrk."""
    return shutil.which("wrk") is not None


def run_wrk(script: Sequence[str], *, port: int, seconds: int, cores: Cores, connections: int) -> Round:
    """Run *script* (a path and its arguments) for so many seconds on *connections*. Raises `WrkFailedError`."""
    # Longer than the round, so that a slow server has long answers instead of broken connections. (Eight bytes of wrk's
    # memory for each microsecond of it.)
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{seconds + 5}s"]
    used_ns = _used_by_children_ns()
    with pinned(cores.client):
        process = subprocess.Popen(
            ["wrk", *options, "-s", script[0], f"http://127.0.0.1:{port}/", "--", *script[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        said, _ = process.communicate(timeout=seconds + _BEYOND_THE_ROUND_S)
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        came = msgspec.json.decode(said.rstrip().splitlines()[-1], type=Round)
    except (IndexError, msgspec.MsgspecError) as error:
        raise WrkFailedError(f"wrk ended with {process.returncode} and said:\n{said}") from error
    return msgspec.structs.replace(came, client_ns=_used_by_children_ns() - used_ns)


def _used_by_children_ns() -> int:
    """Return what all children that have ended used; during a round that is wrk alone."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)
