"""The built wheel is the whole product: in an empty environment, far from the checkout, it serves the demo."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest

from stagedoor import __version__

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 300
READY = re.compile(r"Stagedoor is ready on (http://127\.0\.0\.1:\d+)")
LOADED = re.compile(r'(?:src|href)="(/[^"]+)"')


def run(*command: str | Path, folder: Path) -> str:
    """Run *command* in *folder* with nothing of ours around it; return what it printed."""
    done = subprocess.run(  # noqa: S603 -- the product and its tools
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def environment() -> dict[str, str]:
    ours = ("STAGEDOOR_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by what the build names alone, from what a release would be built from."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path_factory.mktemp("built")
    run(sys.executable, "-I", "-m", "flit_core.wheel", "--outdir", built, source, folder=source)
    [wheel] = built.iterdir()
    return wheel


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = ROOT / "src" / "stagedoor"
    files = {
        f"stagedoor/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        said = {name.partition(".dist-info/")[2]: archive.read(name).decode() for name in archive.namelist()}

    assert packed == files
    assert "stagedoor/py.typed" in packed
    assert f"Version: {__version__}" in said["METADATA"]
    assert "stagedoor=stagedoor" in said["entry_points.txt"].replace(" ", "")
    assert any(name.endswith("LICENSE") for name in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The product as somebody has it who never saw the checkout."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "environment" / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.folder / "environment" / "bin" / "stagedoor"

    @contextmanager
    def serving(self, *words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        """Serve from a folder of its own until the block ends; lend the address and the process."""
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 -- the product itself
                [self.command, "serve", "--port", "0", *words],
                cwd=self.folder,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if (found := READY.search(line)) is not None:
                    yield found[1], process
                    return
            raise AssertionError("".join(said) + (self.folder / "log").read_text())
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment that was empty, with what the product needs, and then the wheel, in it."""
    there = Installed(folder=tmp_path_factory.mktemp("far from the checkout"))
    run(sys.executable, "-m", "venv", there.folder / "environment", folder=there.folder)
    install = (there.python, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")
    pinned = ROOT / "requirements" / "run.txt"
    run(*install, "--only-binary", ":all:", "--require-hashes", "-r", pinned, folder=there.folder)
    run(*install, "--no-index", "--no-deps", wheel, folder=there.folder)
    return there


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 -- our own server
        assert answer.status == 200
        content: bytes = answer.read()
    return content


def post(url: str, body: bytes, **headers: str) -> object:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})  # noqa: S310 -- as above
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- as above
        return msgspec.json.decode(answer.read())["data"]


def test_what_it_says_that_it_needs_is_what_it_was_given(installed: Installed) -> None:
    assert run(installed.python, "-I", "-m", "pip", "check", folder=installed.folder)
    where = run(installed.python, "-c", "import stagedoor; print(stagedoor.__file__)", folder=installed.folder)
    assert where.startswith(str(installed.folder))
    assert run(installed.command, "--version", folder=installed.folder) == f"stagedoor {__version__}\n"


def test_it_serves_the_demo_with_its_page(installed: Installed) -> None:
    with installed.serving("--demo") as (address, process):
        page = get(f"{address}/schema").decode()
        loaded = {path: get(address + path) for path in LOADED.findall(page)}
        document = msgspec.json.decode(loaded["/schema/openapi.json"])
        ticket = post(f"{address}/v1/api/queue/token", b'{"userId":1}')
        assert isinstance(ticket, dict)
        stands = post(f"{address}/v1/api/queue/token/check", b"", Authorization=ticket["queueToken"])
        programme = msgspec.json.decode(get(f"{address}/v1/api/concerts"))["data"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_MAX) == 0

    assert {path.rpartition(".")[2] for path in loaded} == {"js", "css", "json"}
    assert min(len(content) for content in loaded.values()) > 100
    assert "/v1/api/queue/token" in document["paths"]
    assert isinstance(stands, dict)
    assert stands["status"] in {"WAITING", "PROGRESS"}
    assert len(programme) == 9


def test_its_commands_work_on_what_it_made(installed: Installed) -> None:
    copy = installed.folder / "copy.db"

    run(installed.command, "demo-reset", folder=installed.folder)
    run(installed.command, "backup", copy, folder=installed.folder)
    run(installed.command, "restore", copy, "--data-dir", installed.folder / "elsewhere", folder=installed.folder)

    said = run(installed.command, "check", "--data-dir", installed.folder / "elsewhere", folder=installed.folder)
    assert "invariants hold." in said
