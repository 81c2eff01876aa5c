"""Each story is judged by itself: neither the order of stories nor how many come at once changes a verdict."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas import Story
from services.bus.ports import Lane, Message
from services.bus.topics import STORIES
from services.classifier.classify import load_model
from services.classifier.stage import ClassifierStage
from services.cli.classify import answers
from tests.builders import a_record, a_story

CLAIMED = Path(__file__).parents[1] / "corpus" / "claims"
NOW = datetime(2026, 5, 12, 3, tzinfo=UTC)
SENTENCES = st.sampled_from(
    [
        "North Korea sent artillery shells to Russia, Seoul said.",
        "The Kremlin denied it.",
        "They will be used at the front.",
        "Rain fell in Oslo.",
        "Россия получила снаряды из КНДР.",
        "Korea Północna dostarczyła Rosji pociski.",
        "북한, 러시아에 포탄 제공",
        "北朝鮮、ロシアに砲弾を提供",
        "朝鲜向俄罗斯提供炮弹",
        "North Korea (북한)",
        "Δ",
        "\ud800",
        "",
    ]
)
TEXTS = st.lists(SENTENCES, max_size=3).map(" ".join)
STORIES_TOLD = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


class SomeLane:
    """A lane; a stage asks it for nothing."""


def lines_of(rows: list[tuple[int, tuple[str, str]]]) -> list[bytes]:
    """Return what ``tumen classify`` answers to a file of these numbered stories."""
    items = [{"id": number, "title": title, "summary": summary} for number, (title, summary) in rows]
    file = io.BytesIO(b"".join(json.dumps(item).encode() + b"\n" for item in items))
    return [answer.line for answer in answers(file, "file")]


def published(*batches: list[Story]) -> list[Message]:
    """Return what a stage publishes of stories that come in these batches."""
    lane: Lane = SomeLane()  # type: ignore[assignment]
    stage = ClassifierStage(lane, load_model(), publish_all=True)
    records = ([a_record(STORIES, story, key=story.id) for story in batch] for batch in batches)
    return [message for batch in records for message in stage.step(batch, NOW).messages]


@given(STORIES_TOLD, st.randoms(use_true_random=False))
def test_order_changes_no_verdict(told: list[tuple[str, str]], chance: Random) -> None:
    """A shuffled file gives the same lines, in its order."""
    rows = list(enumerate(told))
    expected = dict(zip(rows, lines_of(rows), strict=True))
    shuffled = rows.copy()
    chance.shuffle(shuffled)
    assert lines_of(shuffled) == [expected[row] for row in shuffled]


@given(STORIES_TOLD, st.integers(min_value=1, max_value=6))
def test_the_size_of_a_batch_changes_no_verdict(told: list[tuple[str, str]], size: int) -> None:
    """One by one or all at once, the same messages to the byte."""
    stories = [
        a_story(str(number), title=title.replace("\ud800", "?"), summary=summary.replace("\ud800", "?"))
        for number, (title, summary) in enumerate(told)
    ]
    batches = [stories[start : start + size] for start in range(0, len(stories), size)]
    assert published(*batches) == published(stories)


def test_another_process_writes_the_same_bytes() -> None:
    """Sets have another order in each process; no verdict shows it."""
    given = b"".join(path.read_bytes() for path in sorted(CLAIMED.glob("*.jsonl")))
    command = [sys.executable, "-m", "services", "classify", "-"]
    first, second = (
        subprocess.run(
            ["/usr/bin/env", f"PYTHONHASHSEED={seed}", *command], input=given, capture_output=True, check=True
        ).stdout
        for seed in (1, 77)
    )
    assert first.count(b"\n") == given.count(b"\n")
    assert first == second
