"""A server that neither looks idempotency keys up nor stores them."""

from stagedoor.checkout.commands import KeyedCommand
from stagedoor.checkout.deciding import desk
from tests.e2e.harness.removed_guard import replace, run


def none(_command: KeyedCommand) -> None:
    """Say that the command has no key."""


replace(desk, "scope_of", none)
run()
