"""What a row is hoped to reach, and whether it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]

MISSED = "**missed**"
"""Stands behind a goal that was not reached; `make proof` counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """
    A goal as it stands in the table.

    *reached* takes the row's figures and those of all rows measured so far; None: it cannot be said.
    """

    text: str
    reached: Callable[[Figures, Mapping[str, Figures]], bool | None]

    def verdict(self, figures: Figures, others: Mapping[str, Figures]) -> str:
        """Return the goal, and that it was missed if it was."""
        return f"{self.text} {MISSED}" if self.reached(figures, others) is False else self.text


def at_least(figure: str, least: float, *, text: str) -> Goal:
    """Return the goal that *figure* is *least* or more."""
    return Goal(text=text, reached=lambda of, _: of[figure] >= least)


def at_most(figure: str, most: float, *, text: str) -> Goal:
    """Return the goal that *figure* is *most* or less."""
    return Goal(text=text, reached=lambda of, _: of[figure] <= most)


def ratio(least: float) -> Goal:
    """Return the goal of a share of the floor."""
    return at_least("ratio", least, text=f"{least:.2f}")


def ratio_beside(row: str, share: float) -> Goal:
    """Return the goal of a share of another row's ratio, which is unknown where that row was not measured."""

    def reached(of: Figures, others: Mapping[str, Figures]) -> bool | None:
        return of["ratio"] >= share * others[row]["ratio"] if row in others else None

    return Goal(text=f"{share:.1f} of {row}", reached=reached)
