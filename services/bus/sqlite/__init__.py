"""The log in one SQLite file: durable, embedded, shared by several processes of one machine.

``bus`` is the way in. Below it, each file is one idea: ``worker`` (the one thread that touches SQLite), ``store``
(the log's table), ``groups`` (leases), ``lanes`` and ``tails`` (what readers hold), ``upkeep`` (compaction,
retention, checkpoints), ``schema`` (opening and migrating), ``headers``, ``identity`` and ``faults``.
"""

from services.bus.sqlite.bus import SqliteBus

__all__ = ["SqliteBus"]
