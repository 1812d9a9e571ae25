"""The composition root: settings in, a running server out. Nothing else chooses an adapter."""

from stagedoor.bootstrap.serving import serve

__all__ = ["serve"]
