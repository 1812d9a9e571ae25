"""
Every race of one process, over two and four of them, with MariaDB and with PostgreSQL.

    python -m tests.proofs.races
"""

import sys

import pytest

from tests.races_cluster.conftest import EVERY_SIZE


def main() -> None:
    """Play all of them, and the controls; exit 1 if one does not end as on one process."""
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/races_cluster", EVERY_SIZE]))


if __name__ == "__main__":
    main()
