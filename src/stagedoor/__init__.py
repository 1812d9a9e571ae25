"""An on-sale engine: the waiting room, the seats, the five-minute holds, the wallet and the payment."""

__version__ = "0.1.0"
