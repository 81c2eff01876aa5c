"""How many: a number with its unit and operator in the words that were used. Nothing is converted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.claim import Quantity
from services.classifier.match import Hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.classifier.claims.scene import Context, Scene

OPERATOR_GAP_MAX = 6
UNIT_GAP_MAX = 30
RANGE_GAP_MAX = 6
WORD_GAP_MAX = 1
MAGNITUDE_MIN = 100
MAGNITUDES = (1e9, 1e6, 1e3)
YEARS = range(1900, 2101)
YEAR_DIGITS = 4
# More than fifteen digits are no count of anything.
_NUMBER = re.compile(
    r"(?<![a-zа-яіїєґ\d.,])(?:\d{1,3}(?:[.,' ]\d{3})+(?!\d)|\d{1,15}(?:[.,]\d{1,2}(?!\d))?)(?!\d)"
)
_GROUPS = re.compile(r"[.,' ](?=\d{3}(?:\D|$))")
_DASHES = frozenset("-–—~～〜 ")
_CALIBRES = ("mm", " mm", "мм", " мм", "毫米", "ミリ", "㎜", "밀리", " ملم", "ملم")
_STOPS = frozenset(",;:()")
_BRIDGED = frozenset(
    {"give", "get", "want", "say", "deploy", "move", "see", "according", "train", "to", "from"}
)
"""No number belongs to a unit beyond one of these."""
CLOSE = 3


@dataclass(frozen=True, slots=True)
class Number:
    """A number at a place: figures, words, or figures with a magnitude after them."""

    start: int
    end: int
    value: float


def quantity_of(clause: Scene, things: Sequence[Hit], context: Context) -> Quantity | None:
    """Return how many of the things of a clause there are, if it says so."""
    found = [one for one in numbers(clause, context) if not _is_no_count(one, clause, context)]
    units = _units(clause, things, context)
    best: tuple[int, Number, Hit] | None = None
    for number in found:
        for named, unit in units:
            gap = _gap(number, unit, clause, context)
            if gap is not None and (best is None or gap + (not named) * UNIT_GAP_MAX < best[0]):
                best = (gap + (not named) * UNIT_GAP_MAX, number, unit)
    if best is None:
        return _uncounted(clause, things, context)
    _, number, unit = best
    return _said(number, unit, found, clause, context)


def _said(number: Number, unit: Hit, found: list[Number], clause: Scene, context: Context) -> Quantity:
    view = context.views[clause.field]
    low = next((one for one in found if _ranges(one, number, clause, context)), None)
    first = low or number
    operator = _operator(first, clause)
    start = min(first.start, operator.start if operator else first.start)
    end = max(number.end, unit.end)
    begin, stop = view.span(min(start, unit.start) if unit.start < first.start else start, end)
    surface = view.raw[begin:stop]
    name = unit.target.removeprefix("unit.")
    if low is not None:
        return Quantity(
            value=_scaled(low.value, number.value), high=number.value, op="range", unit=name, surface=surface
        )
    symbol = operator.target.removeprefix("op.") if operator else "="
    return Quantity(value=number.value, op=symbol, unit=name, surface=surface)


def _scaled(low: float, high: float) -> float:
    """Return the lower end of a range, in thousands or millions where only the upper end says so: 10 to 12 thousand."""
    scale = next((one for one in MAGNITUDES if high >= one), 1.0)
    return low * scale if low < high / scale else low


def _uncounted(clause: Scene, things: Sequence[Hit], context: Context) -> Quantity | None:
    """Return a unit without a number where containers are all that was seen: they are never rounds."""
    for thing in things:
        for unit in clause.measures:
            if (
                unit.target == "unit.container"
                and unit.start == thing.start
                and thing.target == "CARGO_UNKNOWN"
            ):
                begin, stop = context.views[clause.field].span(unit.start, unit.end)
                surface = context.views[clause.field].raw[begin:stop]
                return Quantity(unit="container", surface=surface)
    return None


def _units(clause: Scene, things: Sequence[Hit], context: Context) -> list[tuple[bool, Hit]]:
    """Return the units named in a clause, then the things that are counted in a unit of their own."""
    named = [hit for hit in clause.measures if hit.target.startswith("unit.") and hit.target != "unit.none"]
    categories = context.pack.categories
    own = [
        Hit(thing.start, thing.end, f"unit.{categories[thing.target].unit}", thing.term)
        for thing in things
        if categories[thing.target].unit != "unspecified"
        and not any(unit.start < thing.end and thing.start < unit.end for unit in named)
    ]
    return [*((True, unit) for unit in named), *((False, unit) for unit in own)]


def _gap(number: Number, unit: Hit, clause: Scene, context: Context) -> int | None:
    """Return how far a unit stands after a number, or right before it; None: it does not belong to it."""
    low = context.views[clause.field].low
    if unit.start >= number.end:
        between = low[number.end : unit.start]
        bridged = any(
            number.end <= hit.start < unit.start
            and hit.target in _BRIDGED
            and not _partitive(hit, unit, clause)
            for hit in clause.cues
        )
        if bridged or len(between) > UNIT_GAP_MAX or _STOPS & set(between) or any(map(str.isdigit, between)):
            return None
        return len(between)
    if context.has("counts_follow") and 0 <= number.start - unit.end <= CLOSE:
        return UNIT_GAP_MAX + number.start - unit.end
    return None


def _partitive(hit: Hit, unit: Hit, clause: Scene) -> bool:
    """Return whether an adposition only joins a number to its unit, as in "five millions of shells": it governs no side."""
    return hit.target in {"from", "to"} and not any(
        hit.end <= one.start < unit.start for one in clause.mentions
    )


def _operator(number: Number, clause: Scene) -> Hit | None:
    """Return the operator right before a number, or right after it where languages put it there."""
    for hit in clause.measures:
        if not hit.target.startswith("op.") or hit.target == "op.range":
            continue
        if 0 <= number.start - hit.end <= OPERATOR_GAP_MAX or 0 <= hit.start - number.end <= 1:
            return hit
    return None


def _ranges(low: Number, high: Number, clause: Scene, context: Context) -> bool:
    """Return whether two numbers are the ends of a range: 10,000 to 12,000, 10-12 thousand."""
    gap = context.views[clause.field].cased[low.end : high.start]
    if low.end > high.start or len(gap) > RANGE_GAP_MAX or low.value >= high.value:
        return False
    if gap and set(gap) <= _DASHES and gap.strip():
        return True
    return any(
        hit.target == "op.range" and low.end <= hit.start and hit.end <= high.start for hit in clause.measures
    )


def numbers(clause: Scene, context: Context) -> list[Number]:
    """Return the counts in a clause: figures and number words that stand together are one; years and calibres are none."""
    low = context.views[clause.field].low
    atoms: list[tuple[int, int, float, bool]] = [
        (match.start(), match.end(), _figure(match.group()), True)
        for match in _NUMBER.finditer(low, clause.start, clause.end)
    ]
    atoms += [
        (hit.start, hit.end, float(hit.target.removeprefix("num.")), False)
        for hit in clause.measures
        if hit.target.startswith("num.")
    ]
    found: list[Number] = []
    group: list[tuple[int, int, float, bool]] = []
    for atom in sorted(atoms):
        gap = low[group[-1][1] : atom[0]] if group else ""
        if group and gap.strip(" ") == "" and len(gap) <= WORD_GAP_MAX and not (atom[3] and group[-1][3]):
            group.append(atom)
        else:
            found += _number(group)
            group = [atom]
    found += _number(group)
    return found


def _figure(digits: str) -> float:
    return float(_GROUPS.sub("", digits).replace(",", ".").replace(" ", "").replace("'", ""))


def _number(group: list[tuple[int, int, float, bool]]) -> list[Number]:
    """Return a group of figures and words as one number: 1 万 2 千, two hundred thousand, 3.5 million."""
    if not group:
        return []
    total = current = 0.0
    last = 0.0
    for _, _, value, is_figure in group:
        if is_figure or value < MAGNITUDE_MIN:
            current += value
        elif total and value > last:
            total, current = (total + current) * value, 0.0
            last = value
        else:
            total, current, last = total + (current or 1.0) * value, 0.0, value
    return [Number(group[0][0], group[-1][1], total + current)]


def _is_no_count(number: Number, clause: Scene, context: Context) -> bool:
    """Return whether a number is a year, a calibre, a date, a distance or part of a designation."""
    low = context.views[clause.field].low
    plain = low[number.start : number.end]
    if plain.isdigit() and len(plain) == YEAR_DIGITS and int(plain) in YEARS:
        return True
    if low.startswith(_CALIBRES, number.end):
        return True
    if any(thing.start < number.start < thing.end for thing in clause.things):
        return True
    if any(
        hit.target == "unit.percent_of_use" and 0 <= hit.start - number.end <= 1 for hit in clause.measures
    ):
        return False
    return any(
        hit.target == "unit.none" and (0 <= hit.start - number.end <= 1 or 0 <= number.start - hit.end <= 1)
        for hit in clause.measures
    )
