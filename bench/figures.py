"""One measured figure, and the table that shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: what, how much, beside which bare loop of the same run, and what was promised.

    ``judged`` says which number the target is for: the figure itself or its ratio to the bare loop.
    """

    name: str
    value: float
    unit: str
    bare: float | None = None
    target: float | None = None
    target_is: Literal["at least", "at most"] = "at least"
    judged: Literal["value", "ratio"] = "value"

    @property
    def ratio(self) -> float | None:
        """The figure divided by the bare loop's."""
        return self.value / self.bare if self.bare else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        judged = self.ratio if self.judged == "ratio" else self.value
        if self.target is None or judged is None:
            return None
        return judged >= self.target if self.target_is == "at least" else judged <= self.target


HEAD = ("figure", "measured", "unit", "bare loop", "ratio", "target", "")


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as aligned text."""
    cells = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _row(figure: Figure) -> tuple[str, ...]:
    sign = ">=" if figure.target_is == "at least" else "<="
    verdict = {True: "ok", False: "MISSED", None: ""}[figure.met]
    target = "" if figure.target is None else f"{sign} {_number(figure.target)}"
    if target and figure.judged == "ratio":
        target += " of bare"
    return (
        figure.name,
        _number(figure.value),
        figure.unit,
        _number(figure.bare),
        _number(figure.ratio),
        target,
        verdict,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
