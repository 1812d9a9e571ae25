"""The very first start is killed while it makes the schema and the demo, again and again: all is there, or nothing."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.harness.until import until
from tests.integration.cli.process import environment, run, serving

MEGABYTE = 1_000_000
GROWING = (("", 0), ("-wal", 1), ("-wal", 8 * MEGABYTE))
"""What is there of the database's files when the start is killed."""


async def killed_once_there_are(folder: Path, name: str, size: int) -> None:
    """Start with the demo's data to be made, and kill it once its file *name* has *size* bytes, or it is ready."""
    process = subprocess.Popen(  # noqa: ASYNC220 -- the product itself
        [sys.executable, "-m", "stagedoor", "serve", "--demo"],
        env=environment(folder, {}),
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )

    async def grown() -> bool:
        return process.poll() is not None or ((folder / name).exists() and (folder / name).stat().st_size >= size)

    try:
        await until(grown, bool, looks=60_000, between_s=0.002)
    finally:
        process.kill()
        process.communicate()


async def test_a_first_start_that_is_killed_leaves_all_or_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a night"
    for suffix, size in GROWING:
        await killed_once_there_are(folder, f"stagedoor.db{suffix}", size)

    with serving(folder, "--demo") as server:
        checked = run(folder, "check")
        looked = run(folder, "doctor")
        assert server.stop() == 0

    assert (checked.returncode, checked.stderr) == (0, "")
    assert "100,000 members" in looked.stdout, looked.stdout
