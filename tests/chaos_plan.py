"""How long chaos lasts, and how often: short in `make test`, at length and with three seeds in `make chaos`."""

from __future__ import annotations

from typing import NamedTuple

CHAOS_S = 30.0
CHAOS_SEEDS = "20260512"


class ChaosPlan(NamedTuple):
    """How long a chaos test strikes, and which seeds it is run with."""

    seconds: float
    seeds: tuple[int, ...]

    @property
    def long(self) -> bool:
        """Whether minutes may pass: outages at their full length."""
        return self.seconds > CHAOS_S


def planned(seconds: float, seeds: str) -> ChaosPlan:
    """Return what the options say; a seed that failed is run again by its number."""
    return ChaosPlan(seconds, tuple(int(seed) for seed in seeds.split(",")))
