"""Chaos B: three brokers, each killed with -9 and brought back in turn under load; no record is lost, doubled or moved."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import kafka_process
from tests.kafka_broker import KafkaCluster, running_cluster
from tests.kafka_calls import Calls, slowest
from tests.kafka_chaos import Feed, Workers, audit, prepared, settled
from tests.pause import nap

if TYPE_CHECKING:
    from tests.chaos_plan import ChaosPlan

pytestmark = [pytest.mark.broker, pytest.mark.chaos]

PREFIX = "brokers"
RECORDS_PER_S = 240
CALM_S = 2.0
AWAY_S = (1.0, 2.0)
AWAY_LONG_S = (1.0, 12.0)
IN_STEP_S = 60.0


async def kill_each(cluster: KafkaCluster, draw: random.Random, away_s: tuple[float, float]) -> None:
    """Kill every node once, in any order; the next goes when all copies are in step again."""
    for node in draw.sample(cluster.nodes, len(cluster.nodes)):
        await nap(CALM_S)
        await asyncio.to_thread(node.kill)
        await nap(draw.uniform(*away_s))
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(cluster.await_in_step, IN_STEP_S)


async def wreak(cluster: KafkaCluster, plan: ChaosPlan, draw: random.Random, over: asyncio.Event) -> int:
    """Kill them all again and again while there is time, at least once; return how many were killed."""
    clock = asyncio.get_running_loop().time
    begun, killed = clock(), 0
    while not killed or (plan.long and clock() - begun < plan.seconds):
        await kill_each(cluster, draw, AWAY_LONG_S if plan.long else AWAY_S)
        killed += len(cluster.nodes)
    over.set()
    return killed


@pytest.mark.timeout(600)
async def test_each_broker_may_be_killed_in_turn(
    chaos_plan: ChaosPlan, chaos_seed: int, tmp_path: Path
) -> None:
    """What read-committed consumers see is each record once, in order; no call is past its bound; no worker dies."""
    with running_cluster() as cluster:
        bus = await prepared(kafka_process.cluster(cluster.address, PREFIX))
        workers = Workers(cluster.address, PREFIX, tmp_path)
        feed, over = Feed(bus, RECORDS_PER_S, Calls(tmp_path / "calls-feed")), asyncio.Event()
        try:
            draw = random.Random(chaos_seed)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feed.run(over))
                killed = await wreak(cluster, chaos_plan, draw, over)
            await settled(bus)
            await workers.finish()
            await audit(bus, feed.total)
        finally:
            workers.end()
            await bus.close()
    slow = slowest([*workers.calls, tmp_path / "calls-feed"])
    sys.stdout.write(f"{feed.total} records, {killed} kills, slowest calls in s: {slow}\n")
    assert killed >= len(cluster.nodes)
