"""A reader's two terminals: one with a server of its own in it, one with a shell that keeps what was typed before."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

READY = re.compile(r"^Stagedoor is ready on http://127\.0\.0\.1:(\d+)", re.MULTILINE)
WHERE = "127.0.0.1:8080"
"""Where a page says the server is."""

AS_TYPED = "make run"
AS_RUN = ".venv/bin/stagedoor serve --demo"
"""`make run` is this behind the set-up of .venv (which has its own tests)."""

PATIENCE_SECONDS = 180
OURS = {"STAGEDOOR_PORT": "0", "STAGEDOOR_IDLE_TIMEOUT_SECONDS": "900"}
"""A busy machine types more slowly than any reader: nobody may fall silent over it."""
STOPS_BY_CTRL_C = (0, 130)


class StuckError(AssertionError):
    """Something on the page did not come to its end."""


def environment() -> dict[str, str]:
    """Return the reader's environment: no settings of ours, a free port, and the programs of this checkout."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    return inherited | OURS | {"PATH": path, "LC_ALL": "C.UTF-8", "COLUMNS": "160"}


class Server:
    """A server in the foreground of a terminal."""

    def __init__(self, typed: str, folder: Path) -> None:
        last = typed.rstrip().rpartition("\n")[2]
        runs = last.replace(AS_TYPED, AS_RUN)
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by stop()
        self._process = subprocess.Popen(  # noqa: S603 -- what the page says
            ["bash", "-c", typed.rstrip().removesuffix(last) + runs],  # noqa: S607 -- wherever bash is
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def port(self) -> str:
        """Wait until it is ready and return where it listens."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while (ready := READY.search(self.said())) is None:
            if self._process.poll() is not None or time.monotonic() > ends_at:
                raise StuckError(f"No server came up:\n{self.said()}")
            select.select([], [], [], 0.02)
        return ready[1]

    def said(self) -> str:
        """Return what it has printed until now."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode()

    def stop(self) -> None:
        """Press Ctrl-C and wait for its end."""
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        said = self.said()
        self._output.close()
        assert code in STOPS_BY_CTRL_C, f"It ended with {code}:\n{said}"


class Shell:
    """A shell to type into; functions and variables stay from one step to the next."""

    MARK = "--- typed, and ended with "

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc"],  # noqa: S607 -- wherever bash is
            cwd=folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def enter(self, text: str) -> tuple[str, int]:
        """Type *text*; return what it prints, errors too, and how its last command ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{{ {text.rstrip()}\n}} </dev/null\nprintf '\\n{self.MARK}%s\\n' $?\n".encode())
        self._process.stdin.flush()
        came = self._until_mark(time.monotonic() + PATIENCE_SECONDS)
        output, _, status = came.rpartition(f"\n{self.MARK}")
        return output, int(status)

    def _until_mark(self, ends_at: float) -> str:
        assert self._process.stdout is not None
        came = b""
        whole = re.compile(rb"\n" + self.MARK.encode() + rb"\d+\n\Z")
        while whole.search(came) is None:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, ends_at - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 65_536) if readable else b""
            if not more:
                raise StuckError(f"The shell stopped at:\n{came.decode()}")
            came += more
        return came.decode()

    def close(self) -> None:
        """End it, with whatever it still runs."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Reader:
    """Somebody who types what a page says, in an empty folder with nothing but our .venv in it."""

    def __init__(self, folder: Path) -> None:
        (folder / ".venv").symlink_to(sys.prefix)
        self._folder = folder
        self._shell = Shell(folder)
        self._server: Server | None = None
        self._port = ""

    def serve(self, typed: str) -> str:
        """Stop the server that runs, start the one that is *typed*, and return what it says until it is ready."""
        if self._server is not None:
            self._server.stop()
        before = self._port
        self._server = Server(typed, self._folder)
        self._port = self._server.port()
        if before:  # the pages keep where it is in one variable, and a reader's server stays at its port
            self._shell.enter(f"api=${{api/:{before}/:{self._port}}}")
        return self._as_on_the_page(self._server.said())

    def enter(self, text: str) -> tuple[str, int]:
        """Type *text* into the shell, but for where the server is; return what comes and how it ends."""
        came, status = self._shell.enter(text.replace(WHERE, f"127.0.0.1:{self._port}"))
        return self._as_on_the_page(came), status

    def _as_on_the_page(self, came: str) -> str:
        return came.replace(f"127.0.0.1:{self._port}", WHERE).replace(str(self._folder), "/home/you/stagedoor")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shell.close()
        if self._server is not None:
            self._server.stop()
