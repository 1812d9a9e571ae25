"""
Takes a guard out of the product, from outside, so that the judges can be judged.

The product has no switch for this: a mutant is a launcher that replaces one
name and then runs the product's own command line.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from stagedoor.adapters.sql import sale_writes
from stagedoor.cli import main


def replace(owner: type | ModuleType, name: str, with_what: Callable[..., Any] | property) -> None:
    """Put *with_what* in the place of `owner.name`, which has to be there: else the mutant removes nothing."""
    assert name in vars(owner), f"{owner.__name__} has no {name}: nothing is removed"
    setattr(owner, name, with_what)


def ignore_counted_rows() -> None:
    """Take out the sale's second guard as well: that each write has to find the rows that were decided on."""
    replace(sale_writes, "_expect", lambda _decided, _written: None)


def run() -> None:
    """Run the product without its guard."""
    main()
