"""What an idempotency key is unique within: the buyer and the call."""

from stagedoor.checkout.commands import ChargeWallet, KeyedCommand, PayForHold, PlaceHold, ReleaseHold
from stagedoor.checkout.rows import KeyScope

RESERVE = "reserve"
RELEASE = "release"
PAY = "pay"
CHARGE = "charge"
CREDIT = "credit"
"""A charge by the shop: another call than the buyer's own."""


def call_of(command: KeyedCommand) -> str:
    """Return the name of the call behind *command*."""
    match command:
        case PlaceHold():
            return RESERVE
        case ReleaseHold():
            return RELEASE
        case PayForHold():
            return PAY
        case ChargeWallet():
            return CHARGE if command.by_shop is None else CREDIT


def scope_of(command: KeyedCommand) -> KeyScope | None:
    """Return where the key of *command* is stored, None if it has none."""
    return None if command.key is None else (command.buyer_id, call_of(command), command.key.value)
