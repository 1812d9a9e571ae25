"""Ctrl-C before there is a server ends the command with 130, and without a traceback, wherever it arrives."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.process import SECONDS_MAX, environment

WHILE_LOADING = """
import importlib.abc, os, runpy, signal, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
        return None

sys.meta_path.insert(0, Interrupting())
sys.argv = ["stagedoor", "serve", "--demo"]
runpy.run_module("stagedoor", run_name="__main__", alter_sys=True)
"""

WHILE_PREPARING = """
import os, signal, sys
from stagedoor.adapters.sql import {module}

step = {module}.{name}

def interrupted(*arguments, **more):
    os.kill(os.getpid(), signal.SIGINT)
    return step(*arguments, **more)

{module}.{name} = interrupted
sys.argv = ["stagedoor", "serve", "--demo"]
from stagedoor.__main__ import main
main()
"""


def run(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 -- the product itself
        [sys.executable, "-c", program],
        env=environment(folder, {}),
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.mark.parametrize("module", ["stagedoor.cli", "sqlalchemy", "litestar", "stagedoor.http.app"])
def test_while_it_is_being_loaded(folder: Path, module: str) -> None:
    done = run(folder, WHILE_LOADING.format(module=module))

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("module", "name"), [("schema", "upgrade"), ("demo", "prepare")])
def test_while_it_prepares_the_database(folder: Path, module: str, name: str) -> None:
    done = run(folder, WHILE_PREPARING.format(module=module, name=name))

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stagedoor: Interrupted.\n")
