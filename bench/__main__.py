"""``python -m bench [NAME…]``: run the benches, print one table; exit 1 when a target is missed.

A bench is a module of this package with ``main() -> Iterable[Figure]``; each is named by its file.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Sequence

import bench
from bench.figures import Figure, table

NOT_BENCHES = frozenset({"__main__", "figures", "latency"})
BY_NAME_ONLY = frozenset({"soak"})
"""Too long for everybody who wants all of them."""


def names() -> list[str]:
    """Return the names of the benches."""
    found = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(name for name in found if name not in NOT_BENCHES)


def main(wanted: Sequence[str]) -> int:
    """Run the named benches, or all of them."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in wanted or sorted(set(names()) - BY_NAME_ONLY):
        print(f"bench {name} …", file=sys.stderr)
        figures += importlib.import_module(f"bench.{name}").main()
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
