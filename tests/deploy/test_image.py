"""What the Dockerfile says, as far as that can be judged where no container engine is."""

import re
import shlex
import socket
import subprocess
import sys
import threading
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINE = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    return [(found[1], found[2].replace("\\\n", " ")) for found in LINE.finditer(DOCKERFILE)]


def of(name: str) -> list[str]:
    return [said for each, said in instructions() if each == name]


def let_in(path: str) -> bool:
    """Tell whether .dockerignore lets *path* reach the builder; the last line that fits decides."""
    decided = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            decided = line.startswith("!")
    return decided


def test_both_stages_stand_on_the_same_python() -> None:
    build, final = of("FROM")

    assert build == f"{final} AS build"


def test_all_that_is_copied_is_there_and_reaches_the_builder() -> None:
    copied = [shlex.split(said) for said in of("COPY")]
    sources = [source for words in copied if not words[0].startswith("--from") for source in words[:-1]]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert let_in(source), source


@pytest.mark.parametrize("path", ["data/secret", ".env", ".git/config", ".venv/bin/python", "build/services/env"])
def test_no_secret_reaches_the_builder(path: str) -> None:
    assert not let_in(path)


def test_nothing_is_compiled_and_nothing_is_unchecked() -> None:
    (requirements,) = [said for said in of("RUN") if "--requirement" in said]
    (wheel,) = [said for said in of("RUN") if "pip wheel" in said]

    assert "--only-binary :all:" in requirements
    assert "--require-hashes" in requirements
    assert wheel.count("--no-deps") == 2
    assert "--no-index" in wheel


def test_it_runs_as_nobody_in_particular() -> None:
    last_stage = instructions()[[name for name, _ in instructions()].index("FROM", 1) :]
    (user,) = [said for name, said in last_stage if name == "USER"]

    assert any("useradd --system --uid 10001" in said and said.endswith(f" {user}") for said in of("RUN"))
    assert [name for name, _ in last_stage].index("USER") < [name for name, _ in last_stage].index("ENTRYPOINT")


def test_no_secret_is_in_it() -> None:
    assert not [said for said in of("ENV") + of("ARG") if re.search("secret|password|token|key", said, re.IGNORECASE)]


def health_check() -> list[str]:
    """Return the command by which the engine asks whether a server is well."""
    (said,) = of("HEALTHCHECK")
    return msgspec.json.decode(said.partition("CMD ")[2], type=list[str])


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_a_server_is_well_while_it_is_ready(status: int, healthy: bool) -> None:  # noqa: FBT001 -- a table
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert is_healthy(server.server_address[1]) is healthy
        thread.join()


def test_a_server_that_is_not_there_is_not_well() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert not is_healthy(taken.getsockname()[1])


def is_healthy(port: int) -> bool:
    """Ask as the engine would, of *port* instead of the port of the image."""
    python, flag, script = health_check()
    assert (python, flag) == ("python", "-c")
    assert "127.0.0.1:8080" in script
    command = [sys.executable, flag, script.replace("127.0.0.1:8080", f"127.0.0.1:{port}")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 -- the image's own
