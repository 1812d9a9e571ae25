"""
How fast every call of the cluster profile is beside the floor: `make bench PROFILE=cluster` in full, kept as evidence.

What it proves is that the figures are sound: it fails where rounds stay void. A goal that is missed is said in the
table, which is what the evidence is for.
"""

import sys

from scripts.bench.__main__ import main

if __name__ == "__main__":
    main(["--profile", "cluster", *sys.argv[1:]])
