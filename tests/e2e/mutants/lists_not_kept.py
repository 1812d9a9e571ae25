"""A server that keeps no list: whoever asks for one has it read; it says so each time."""

from stagedoor.http.kept import Kept
from tests.e2e.harness.removed_guard import replace, run
from tests.e2e.harness.told_reads import tell_reads

tell_reads()
replace(Kept, "_may_be_given", lambda _kept: False)
run()
