"""
Brings .venv to what one requirements file asks for, and does nothing, fast, when it is there already.

A stamp in .venv says what was installed last; it is written when all is done, so
whatever was interrupted is taken up again. Installing the test tools changes
nothing that a running server uses: test.txt holds run.txt, at the same versions.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = VENV / "lib" / f"python{PYTHON_VERSION}" / "site-packages"

LEVELS = {"run": ("run",), "test": ("test", "run")}
"""A level, and the levels that are reached with it."""


def main() -> None:
    """Bring .venv to a level, or with --check exit 1 if it is not there."""
    parser = argparse.ArgumentParser(description="Make .venv, or bring it up to date.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is missing")
    parser.add_argument("level", choices=LEVELS)
    arguments = parser.parse_args()
    if reached(arguments.level):
        return
    if arguments.check:
        sys.exit(1)
    try:
        with one_at_a_time():
            if not reached(arguments.level):
                reach(arguments.level)
    except PermissionError as denied:
        sys.exit(f"{denied.filename} cannot be written: make {VENV} yours, or remove it, and try again.")
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next try takes it up from here.")


def reached(level: str) -> bool:
    """Tell whether the last thing installed at *level* is what the files ask for now."""
    stamp = stamp_of(level)
    return stamp.exists() and stamp.read_text() == fingerprint(level)


def stamp_of(level: str) -> Path:
    """Return the file that says what was installed at *level*."""
    return VENV / f"stagedoor-{level}.stamp"


def fingerprint(level: str) -> str:
    """Digest all that decides what is installed, and where: a checkout that was moved has to be installed again."""
    digest = hashlib.sha256(f"{PYTHON_VERSION}\n{ROOT}\n".encode())
    for source in (ROOT / "pyproject.toml", ROOT / "requirements" / f"{level}.txt"):
        digest.update(source.read_bytes())
    return digest.hexdigest()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process installs into this checkout."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def reach(level: str) -> None:
    """Make .venv if need be, and install what *level* asks for, each file checked against its hash."""
    if not usable():
        make_venv()
    forget_what_pip_left_unfinished()
    say(f"Installing requirements/{level}.txt ...")
    pip_install("--only-binary", ":all:", "--require-hashes", "--requirement", f"requirements/{level}.txt")
    if not reached("run"):
        pip_install("--no-deps", "--no-build-isolation", "--editable", ".")
    for each in LEVELS[level]:
        stamp_of(each).write_text(fingerprint(each))


def usable() -> bool:
    """Tell whether .venv is of this Python and has a whole pip."""
    return (
        VENV_PYTHON.exists() and (VENV / "pyvenv.cfg").exists() and any(SITE_PACKAGES.glob("pip-*.dist-info/INSTALLER"))
    )


def make_venv() -> None:
    """Make .venv anew, with this Python."""
    say("Making a virtual environment in .venv ...")
    if VENV.exists():
        shutil.rmtree(VENV)
    run(
        [sys.executable, "-m", "venv", VENV],
        advice="No virtual environment could be made, for the reason above: name another Python in PYTHON=...",
    )


def forget_what_pip_left_unfinished() -> None:
    """
    Remove the records of packages that an interrupted pip installed in part.

    pip writes INSTALLER after a package's own files. Without its record, the
    package counts as missing and is installed again, over what is there. A
    folder that begins with ~ is what an interrupted removal had put aside.
    """
    for record in SITE_PACKAGES.glob("*.dist-info"):
        if not (record / "INSTALLER").exists():
            shutil.rmtree(record)
    for put_aside in SITE_PACKAGES.glob("~*"):
        shutil.rmtree(put_aside)


def pip_install(*arguments: str) -> None:
    """Run `pip install` inside .venv; what it complains of goes to the terminal."""
    run(
        [VENV_PYTHON, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *arguments],
        advice="Not installed, for the reason above: see that a package registry can be reached and .venv written to.",
    )


def run(command: list[str | Path], *, advice: str) -> None:
    """Run *command* in the checkout; if it fails, exit with *advice*."""
    if subprocess.run(command, check=False, cwd=ROOT).returncode != 0:
        sys.exit(advice)


def say(sentence: str) -> None:
    """Tell the person at the terminal what takes so long."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
