"""A server that forgets the keys of charges: whoever asks again whether she was charged is charged again."""

import runpy

from stagedoor.checkout.commands import ChargeWallet, KeyedCommand
from stagedoor.checkout.deciding import desk
from stagedoor.checkout.keys import scope_of
from stagedoor.checkout.rows import KeyScope
from tests.e2e.harness.removed_guard import replace


def scope_but_of_charges(command: KeyedCommand) -> KeyScope | None:
    """Return where the key is stored, but none of a charge."""
    return None if isinstance(command, ChargeWallet) else scope_of(command)


replace(desk, "scope_of", scope_but_of_charges)
runpy.run_module("tests.outage_cluster.watched", run_name="__main__")
