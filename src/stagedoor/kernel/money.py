"""Money is whole won; the limits of what a wallet takes and keeps stand here alone."""

from typing import NewType

Won = NewType("Won", int)

CHARGE_WON_MAX = Won(10_000_000)
BALANCE_WON_MAX = Won(10**12)
