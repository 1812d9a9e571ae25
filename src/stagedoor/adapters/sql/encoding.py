"""Events and receipts as stored text: JSON, by the name of what they are."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from stagedoor.checkout.events import OrderPaid, PlaceClosed
from stagedoor.checkout.keys import CHARGE, CREDIT, PAY, RELEASE, RESERVE
from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, Receipt, ReleaseReceipt, WalletReceipt
from stagedoor.holds.events import HoldExpired, HoldExtended, HoldPlaced, HoldReleased
from stagedoor.kernel.events import DomainEvent

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def _decoder(stored: type[T]) -> Callable[[str], T]:
    return msgspec.json.Decoder(stored).decode


_EVENTS: Mapping[str, Callable[[str], DomainEvent]] = {
    event.name: _decoder(event)
    for event in (HoldPlaced, HoldReleased, HoldExpired, HoldExtended, OrderPaid, PlaceClosed)
}

_RECEIPTS: Mapping[str, Callable[[str], Receipt]] = {
    RESERVE: _decoder(HoldReceipt),
    RELEASE: _decoder(ReleaseReceipt),
    PAY: _decoder(OrderReceipt),
    CHARGE: _decoder(WalletReceipt),
    CREDIT: _decoder(WalletReceipt),
}


def encode_event(event: DomainEvent) -> tuple[str, str]:
    """Return the event's stored type and payload."""
    assert event.name in _EVENTS
    return event.name, _encoder.encode(event).decode()


def decode_event(name: str, payload: str) -> DomainEvent:
    """Return the event that was stored as *name* with *payload*."""
    return _EVENTS[name](payload)


def encode_receipt(receipt: Receipt) -> str:
    """Return the receipt as it is stored; its key's call says what it is."""
    return _encoder.encode(receipt).decode()


def decode_receipt(call: str, stored: str) -> Receipt:
    """Return the receipt that was stored for a key of *call*."""
    return _RECEIPTS[call](stored)
