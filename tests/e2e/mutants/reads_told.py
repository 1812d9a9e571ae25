"""A server that says whenever its lists read the database: the product as it is, with a window in it."""

from tests.e2e.harness.removed_guard import run
from tests.e2e.harness.told_reads import tell_reads

tell_reads()
run()
