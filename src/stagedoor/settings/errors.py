"""How a setting is refused: with one sentence to the operator."""


class SettingsError(Exception):
    """A setting is unknown or impossible. Its text is the sentence; secrets are not in it."""


class UnfitError(Exception):
    """A value does not fit its kind; *reason*, if given, says more than the kind's description does."""

    def __init__(self, reason: str | None = None) -> None:
        """Leave the description to the kind, or give a *reason* that ends the sentence instead."""
        super().__init__(reason or "")
        self.reason = reason
