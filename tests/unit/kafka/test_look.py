"""One question about ends at a time: whoever waited for its answer has it, be it the ends or that there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from services.bus.kafka import engine as module
from services.bus.kafka.engine import Cluster, Engine
from services.bus.ports import BusUnavailable

STORIES = [TopicPartition("tumen.stories.v1", number) for number in range(16)]
ALERTS = [TopicPartition("tumen.alerts.v1", 0)]
FRESH_S = 0.2


class Broker:
    """Answers when it is told to, or not at all."""

    def __init__(self) -> None:
        """Begin without a question."""
        self.asked: list[list[TopicPartition]] = []
        self.answers: list[asyncio.Future[int]] = []

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Take a question."""
        self.asked.append(list(places))
        self.answers.append(asyncio.get_running_loop().create_future())
        return dict.fromkeys(places, await self.answers[-1])

    def fail(self) -> None:
        """Leave the last question without an answer."""
        self.answers[-1].set_exception(KafkaTimeoutError("Failed to get offsets"))


@pytest.fixture
async def broker() -> Broker:
    """Return a broker that has not been asked."""
    return Broker()


@pytest.fixture
async def engine(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """Return the shared parts on that broker; a busy machine must not make lanes come at moments that differ."""
    monkeypatch.setattr(module, "FRESH_S", FRESH_S)
    engine = Engine(Cluster("127.0.0.1:1"))
    engine.control.end_offsets = broker.end_offsets
    yield engine
    await engine.stop()


async def begun(*looks: asyncio.Future[None]) -> None:
    """Let looks come as far as they come without an answer."""
    await asyncio.wait(looks, timeout=0.01)


async def test_lanes_that_waited_for_one_answer_share_that_there_is_none(
    engine: Engine, broker: Broker
) -> None:
    """Sixteen lanes learn within one question that Kafka is away; none asks again in its own name."""
    looks = [asyncio.ensure_future(engine.look(STORIES)) for _ in STORIES]
    await begun(*looks)
    broker.fail()
    failures = await asyncio.gather(*looks, return_exceptions=True)
    assert {type(failure) for failure in failures} == {BusUnavailable}
    assert len({str(failure) for failure in failures}) == 1
    assert len(broker.asked) == 1


async def test_whoever_comes_after_a_failure_asks_anew(engine: Engine, broker: Broker) -> None:
    """A failure is no state: Kafka may be there again, and then everybody who waited has the ends."""
    first = asyncio.ensure_future(engine.look(STORIES))
    await begun(first)
    broker.fail()
    with pytest.raises(BusUnavailable):
        await first
    looks = [asyncio.ensure_future(engine.look(STORIES)) for _ in range(2)]
    await begun(*looks)
    broker.answers[-1].set_result(7)
    await asyncio.gather(*looks)
    assert engine.ends == dict.fromkeys(STORIES, 7)
    assert len(broker.asked) == 2


async def test_an_answer_that_takes_its_time_is_everybodys(engine: Engine, broker: Broker) -> None:
    """A cluster far away is asked once for all lanes that wait, not by one after the other; the next poll asks anew."""
    looks = [asyncio.ensure_future(engine.look(STORIES)) for _ in STORIES]
    await begun(*looks)
    await asyncio.wait(looks, timeout=2 * FRESH_S)
    broker.answers[-1].set_result(7)
    await asyncio.gather(*looks)
    assert len(broker.asked) == 1
    later = asyncio.ensure_future(engine.look(STORIES))
    await begun(later)
    broker.answers[-1].set_result(8)
    await later
    assert engine.ends == dict.fromkeys(STORIES, 8)


async def test_other_partitions_are_asked_about_meanwhile(engine: Engine, broker: Broker) -> None:
    """A partition without a leader keeps nobody waiting who does not read it, and says nothing of others."""
    stories = asyncio.ensure_future(engine.look(STORIES))
    await begun(stories)
    alerts = asyncio.ensure_future(engine.look(ALERTS))
    await begun(alerts)
    broker.answers[-1].set_result(3)
    await alerts
    assert not stories.done()
    broker.answers[0].set_exception(KafkaTimeoutError())
    with pytest.raises(BusUnavailable):
        await stories
    assert engine.ends == {ALERTS[0]: 3}


async def test_an_answer_that_was_overtaken_takes_nothing_back(engine: Engine, broker: Broker) -> None:
    """One slow broker delays the answer about others' partitions; who reads them meanwhile goes by the newer end."""
    both = asyncio.ensure_future(engine.look([*STORIES, *ALERTS]))
    await begun(both)
    alerts = asyncio.ensure_future(engine.look(ALERTS))
    await begun(alerts)
    broker.answers[-1].set_result(9)
    await alerts
    engine.saw({STORIES[0]: 8, STORIES[1]: 2})
    broker.answers[0].set_result(3)
    await both
    assert engine.ends == dict.fromkeys(STORIES, 3) | {STORIES[0]: 8, ALERTS[0]: 9}


async def test_what_a_reader_saw_meanwhile_hides_no_answer(engine: Engine, broker: Broker) -> None:
    """Records come all the time with the end of their fetch: what was asked for, own commits in it, is known all the same."""
    engine.publish({ALERTS[0]: 9})
    look = asyncio.ensure_future(engine.look_behind_own(ALERTS))
    await begun(look)
    engine.saw({ALERTS[0]: 7})
    broker.answers[-1].set_result(9)
    await look
    assert engine.ends == {ALERTS[0]: 9}


async def test_who_is_cancelled_leaves_the_question_to_the_next(engine: Engine, broker: Broker) -> None:
    """A service that stops takes nobody with it."""
    looks = [asyncio.ensure_future(engine.look(STORIES)) for _ in range(2)]
    await begun(*looks)
    looks[0].cancel()
    await begun(*looks)
    broker.answers[-1].set_result(5)
    await looks[1]
    assert engine.ends == dict.fromkeys(STORIES, 5)
    assert len(broker.asked) == 2
