"""What takes long to make is made once per machine, outside of any checkout."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
TOOLS = CACHE / "stagedoor" / "tools"


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """
    Return the folder called *name*; where it is not there yet, *make* fills it first.

    It appears when it is whole. *name* has to tell versions apart: what is
    there is never made again.
    """
    folder = TOOLS / name
    if folder.exists():
        return folder
    TOOLS.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=TOOLS))
    try:
        make(unfinished)
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():  # or somebody else was faster, with the same
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
