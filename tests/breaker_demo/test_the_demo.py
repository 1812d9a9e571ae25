"""The demo plays both evenings to their end and tells of them; nothing is said here about how fast anything is."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 600
STALL_S = 10
IN_MEMORY = Path("/dev/shm")  # noqa: S108 -- where a machine has it, so that no other's writes are waited for


def test_it_shows_a_breaker_open_and_close_and_what_that_was_worth(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 -- the demo itself
        [sys.executable, "-m", "scripts.breaker_demo", "--seconds", str(STALL_S)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(IN_MEMORY if IN_MEMORY.is_dir() else tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    [states] = re.findall(r"^saleService: (.*)$", told, re.MULTILINE)
    assert states.startswith("CLOSED → OPEN → HALF_OPEN → "), told
    kept_away, of_nobody = figures(told, "calls that the breakers kept away from it")
    assert kept_away > of_nobody == 0, told
    assert len(re.findall(r"^\d+ +stalled ", told, re.MULTILINE)) == 2 * STALL_S, told


def figures(told: str, name: str) -> tuple[int, int]:
    """Return a row of the last table, with breakers and without."""
    [row] = re.findall(rf"^ *{name} +(\d+) +(\d+)$", told, re.MULTILINE)
    return int(row[0]), int(row[1])
