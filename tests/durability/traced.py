"""
Runs a program under strace: what it opens, writes, syncs and sends goes to a file, in order.

    python traced.py TRACE ARGUMENTS-OF-PYTHON...

The program keeps this process's number, so that it can be killed as if nobody traced it.
"""

import os
import sys

CALLS = "openat,pwrite64,write,writev,sendto,sendmsg,fsync,fdatasync"

trace, *arguments = sys.argv[1:]
strace = ("strace", "-D", "-f", "-qq", "-y", "-s", "32", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace)
os.execvp(strace[0], [*strace, sys.executable, *arguments])  # noqa: S606 -- the product itself, and who watches it
