"""A machine without a usable Python is told, in one sentence, what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.bootstrap import ROOT

TOOLS = ("sh", "dirname", "sed")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder with a checkout (its path has a space) and a bin/ that is the whole PATH."""
    scripts = tmp_path / "my checkout" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "with-venv", scripts)
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def install_python(machine: Path, name: str, *, says: str) -> None:
    python = machine / "bin" / name
    python.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then echo "{says}"; else echo "$0 $*"; fi\n', encoding="utf-8")
    python.chmod(0o755)


def make_run(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "my checkout/scripts/with-venv", "run", "--version"],  # noqa: S607 -- any shell
        cwd=machine,
        env={"PATH": str(machine / "bin")} | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_no_python(machine: Path) -> None:
    refused = make_run(machine)

    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "Stagedoor needs Python 3.11 or newer, and there is no Python here, so install one"
    )
    assert refused.stderr.count("\n") == 1


def test_an_old_python(machine: Path) -> None:
    install_python(machine, "python3", says="old 3.9.18")

    refused = make_run(machine)

    assert refused.returncode == 1
    assert refused.stderr.startswith("Stagedoor needs Python 3.11 or newer, and python3 is 3.9.18, so install a newer")


def test_a_python_that_cannot_make_virtual_environments(machine: Path) -> None:
    install_python(machine, "python3", says="bare 3.11.2")

    refused = make_run(machine)

    assert refused.returncode == 1
    assert refused.stderr.startswith("Python 3.11.2 (python3) cannot make virtual environments, so install its venv")


def test_a_newer_python_beside_an_old_one_is_taken(machine: Path) -> None:
    install_python(machine, "python3", says="old 3.9.18")
    install_python(machine, "python3.12", says="ok")

    made = make_run(machine)

    assert made.stdout == f"{machine}/bin/python3.12 scripts/bootstrap.py run\n"


def test_a_python_that_was_asked_for_is_the_only_one_considered(machine: Path) -> None:
    install_python(machine, "python3", says="ok")

    refused = make_run(machine, PYTHON="python4")

    assert refused.returncode == 1
    assert '"python4" does not run as one' in refused.stderr
