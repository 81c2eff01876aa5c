"""The log on Apache Kafka: exactly once within one cluster, through aiokafka.

``bus`` is the way in. Below it, each file is one idea: ``engine`` (what the parts of a bus share: ends, own commits,
the bell), ``reader`` (a consumer without a group), ``producers`` (transactions, and how a producer is given up),
``lanes`` and ``membership`` (one owner per input partition), ``offsets`` (where a group stands, for good), ``tails``,
``append``, ``admin`` (topics), ``names``, ``security`` and ``connecting`` (TLS, SASL, and why a connection failed) and
``faults``.
"""

import logging

from services.bus.kafka import connecting
from services.bus.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]

# What matters reaches the caller as an exception in one line; the client's own lines would say it a hundred times.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
connecting.install()
