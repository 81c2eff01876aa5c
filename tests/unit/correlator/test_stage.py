"""Verdicts fold into storylines; each alert says what is new, and no other verdict makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from schemas import Alert, Claim, Evidence, Storyline, StorylineMember, Verdict
from schemas.common import Wire
from services.bus.ports import Message, Record
from services.bus.topics import ALERTS, STORYLINE_MEMBERS, STORYLINES, TOPICS, VERDICTS
from services.clock import VirtualClock
from services.correlator.stage import CorrelatorStage
from services.obs.metrics import Metrics
from services.text.ids import stable_id
from services.text.quote import fits
from services.text.times import moment
from tests.builders import STATEMENT, T0, a_record, a_source, a_story, a_verdict, evidence_in, the_evidence

M = TypeVar("M", bound=Wire)
NOW = datetime(2026, 5, 12, 3, 5, tzinfo=UTC)
LINE = stable_id("russia-dprk-arms", stable_id("story"))


class ALane:
    """As much of a lane as a stage asks for."""

    partition = 0


class Log:
    """A correlator on a log of its own: what it appends can be read, and it can be started anew."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self.messages: list[Message] = []
        self.metrics = Metrics()
        self.stage = CorrelatorStage(ALane(), self.metrics)  # type: ignore[arg-type]

    def hear(self, *verdicts: Verdict | Record, now: datetime = NOW) -> list[Alert]:
        """Take verdicts as one batch and return the alerts they made."""
        records = [one if isinstance(one, Record) else a_record(VERDICTS, one) for one in verdicts]
        step = self.stage.step(records, now)
        self.messages += step.messages
        step.adopt()
        return [read(message, Alert) for message in step.messages if message.topic == ALERTS.name]

    def restart(self) -> None:
        """Start anew from the state topics, as restore reads them: the latest record of each key."""
        self.stage = CorrelatorStage(ALane(), self.metrics)  # type: ignore[arg-type]
        for topic in self.stage.state_topics:
            for offset, message in enumerate(self.latest(topic).values()):
                self.stage.load(Record(topic, 0, offset, message.key, message.value, (), 0))

    def latest(self, topic: str) -> dict[str, Message]:
        """Return the last message of each key, in the order of the log."""
        found: dict[str, Message] = {}
        for message in self.messages:
            if message.topic == topic:
                found.pop(message.key, None)
                found[message.key] = message
        return {key: message for key, message in found.items() if message.value is not None}

    def storyline(self, key: str = LINE) -> Storyline:
        """Return a storyline as the log has it."""
        return read(self.latest(STORYLINES.name)[key], Storyline)

    def member(self, name: str) -> StorylineMember:
        """Return the member that a story became."""
        return read(self.latest(STORYLINE_MEMBERS.name)[stable_id(name)], StorylineMember)


def read(message: Message, model: type[M]) -> M:
    """Return a message's model."""
    assert message.value is not None
    return model.model_validate_json(message.value)


@pytest.fixture
def log() -> Log:
    """Return an empty log."""
    return Log()


def a_copy(name: str = "copy", **fields: object) -> Verdict:
    """Return the verdict of a reprint of the story in another outlet and language."""
    other = a_source(name="Nordlicht", domain="nordlicht.example")
    defaults = {"title": a_story().title, "source": other, "language": "de"}
    return a_verdict(a_story(name, **{**defaults, **fields}))


def test_a_flagged_story_opens_a_storyline_and_an_alert(log: Log) -> None:
    """Storyline, member and alert are in the same step."""
    (alert,) = log.hear(a_verdict())
    assert [message.topic for message in log.messages] == [
        STORYLINES.name,
        STORYLINE_MEMBERS.name,
        ALERTS.name,
    ]
    assert (alert.kind, alert.storyline_id, alert.reason) == ("opened", LINE, "First story of this event")
    assert alert.title == f"Baltic Wire: {a_story().title}"
    assert alert.created_at == T0
    assert alert.detected_at == "2026-05-12T03:05:00.000Z"
    assert alert.supersedes is None
    assert alert.verdict_ids == (stable_id("story"),)
    assert log.storyline().counts.model_dump() == {
        "bases": 1,
        "origins": 1,
        "independent": 0,
        "copies": 0,
        "outlets": 1,
        "languages": 1,
    }
    assert log.member("story").role == "origin"


def test_an_alert_says_in_plain_words_who_and_why(log: Log) -> None:
    """The outlet says it, not we; the label stands beside its name."""
    source = a_source(name="Vestnik Press", label="state media RU")
    (alert,) = log.hear(a_verdict(a_story(source=source)))
    assert alert.body == (
        "Published by Vestnik Press (state media RU), first seen 12 May 2026 03:00 UTC. "
        "Carried by 1 outlet in 1 language (en). "
        "Flagged (T1) because one statement joins Russia, North Korea and ammunition."
    )


def test_evidence_is_the_statement_then_its_terms(log: Log) -> None:
    """Offsets are those of the story's field; nothing is cut that is short."""
    (alert,) = log.hear(a_verdict())
    statement, *terms = alert.evidence
    assert (statement.text, statement.cut, statement.story_id) == (STATEMENT, None, stable_id("story"))
    assert [term.text for term in terms] == ["North Korea", "Russia", "shipped", "artillery shells"]
    assert all(STATEMENT[term.start : term.end] == term.text for term in terms)


def test_a_long_statement_is_cut_around_what_counts(log: Log) -> None:
    """At most 25 words leave; start and end stay those of the whole statement; only terms inside are named."""
    text = f"{'Many words come first ' * 10}{STATEMENT} {'and it is far away ' * 10}Pyongyang"
    evidence = (
        *evidence_in(text, materiel__ammunition="artillery shells", dprk="North Korea", place="Pyongyang"),
    )
    (alert,) = log.hear(a_verdict(evidence=evidence))
    statement, *terms = alert.evidence
    assert fits(statement.text)
    assert statement.cut
    assert (statement.start, statement.end) == (0, len(text))
    assert "artillery shells" in statement.text
    assert {term.text for term in terms} == {"artillery shells", "North Korea"}


@pytest.mark.timeout(20)
def test_an_article_that_repeats_itself_costs_little(log: Log) -> None:
    """Thousands of spans, in one sentence or in as many, are no way to stall a lane."""
    text = "North Korea sent artillery shells to Russia " * 4000
    whole = Evidence(field="text", start=0, end=len(text), text=text, kind="statement")
    spans = [
        Evidence(field="text", start=at, end=at + 6, text=text[at : at + 6], kind=kind)
        for at in range(0, len(text) - 44, 44)
        for kind in ("statement", "materiel.ammunition", "dprk")
    ]
    (alert,) = log.hear(a_verdict(evidence=(whole, *spans)))
    assert len(alert.evidence) <= 6 * 13


def test_a_claims_quotation_is_cut_like_any_other(log: Log) -> None:
    """Publishers' words leave short, wherever in an alert they stand."""
    claim = {
        "id": "c1",
        "claim_type": "MATERIEL_TRANSFER",
        "direction": "DPRK>RUS",
        "status": "ALLEGED",
        "claimant": {"name": "Officials", "role": "official"},
        "evidence": [{"field": "summary", "start": 0, "end": 900, "quote": "many words " * 80}],
    }
    (alert,) = log.hear(a_verdict(claims=(Claim.model_validate(claim),)))
    (evidence,) = alert.claims[0].evidence
    assert fits(evidence.quote)
    assert (evidence.cut, evidence.start, evidence.end) == (True, 0, 900)


def test_evidence_without_a_named_kind_still_says_why(log: Log) -> None:
    """A place and a relation are shown, not listed."""
    (alert,) = log.hear(a_verdict(evidence=evidence_in(STATEMENT, transfer="shipped")))
    assert alert.body.endswith("Flagged (T1) because one statement joins the words quoted.")


def test_a_denial_is_said_to_be_one(log: Log) -> None:
    """The Kremlin's denial is no report of a delivery."""
    text = "The Kremlin denies that North Korea sent arms."
    kinds = {"rus": "Kremlin", "dprk": "North Korea", "deny": "denies"}
    (alert,) = log.hear(a_verdict(evidence=evidence_in(text, "summary", **kinds)))
    assert alert.body.endswith("joins Russia and North Korea; it contains a denial.")


def test_at_most_six_statements_are_quoted(log: Log) -> None:
    """An alert is no article, and says nothing twice."""
    others = [
        "Moscow took the first rockets from Pyongyang in March",
        "A customs clerk at Rajin counted howitzers on two freighters",
        "Seoul believes that Russian engineers came back by train",
        "Ukraine showed splinters with Korean letters on them",
        "Tokyo will freeze the accounts of both shipping companies",
        "Experts of the United Nations asked the Kremlin for papers",
    ]
    many = [span for text in others for span in evidence_in(text)]
    again = evidence_in(f"{STATEMENT} The ministry repeats it")
    (alert,) = log.hear(a_verdict(evidence=(*the_evidence(), *the_evidence(), *again, *many)))
    quotes = [span.text for span in alert.evidence if span.kind == "statement"]
    assert quotes == [STATEMENT, *others[:5]]


def test_one_statement_is_what_an_alert_says_it_joins(log: Log) -> None:
    """Not what stands in another sentence; both parties are named once."""
    shift = len(STATEMENT) + 1
    other = evidence_in("Missiles and drones were shown in a hall.", materiel__missile="Missiles")
    moved = [span.model_copy(update={"start": span.start + shift, "end": span.end + shift}) for span in other]
    pair = evidence_in(STATEMENT, pair="Korea")[1:]
    (alert,) = log.hear(a_verdict(evidence=(*the_evidence(), *pair, *moved)))
    assert alert.body.endswith("one statement joins Russia, North Korea and ammunition.")


def test_a_revision_says_when_it_was_made(log: Log) -> None:
    """First seen and changed are two times."""
    (alert,) = log.hear(a_verdict(a_story(revision=2, fetched_at="2026-05-12T05:00:00.000Z")))
    assert "first seen 12 May 2026 03:00 UTC, changed 12 May 05:00 UTC." in alert.body


def test_reprints_are_counted_and_not_told(log: Log) -> None:
    """Twelve outlets, one alert; the storyline knows them all, and the next alert would name them."""
    assert len(log.hear(a_verdict(), a_copy("copy"))) == 1
    assert log.hear(*(a_copy(f"copy{number}") for number in range(10))) == []
    counts = log.storyline().counts
    assert (counts.origins, counts.copies, counts.outlets, counts.languages) == (1, 11, 2, 2)
    assert log.storyline().revision == 12
    copy = log.member("copy")
    assert (copy.role, copy.copy_of, copy.storyline_id) == ("copy", stable_id("story"), LINE)
    assert log.metrics.value("tumen_skips_total", reason="copy_not_told") == 11


def test_backfill_is_filed_and_never_pushed(log: Log) -> None:
    """A feed imported today with two years of entries makes storylines and no alert, nor do copies that follow."""
    assert log.hear(*(a_verdict(a_story(f"old{number}", arrival="backfill")) for number in range(50))) == []
    assert len(log.latest(STORYLINES.name)) == 50
    assert log.hear(a_copy(title=a_story("old7").title)) == []
    revised = a_story(
        "old7", arrival="backfill", revision=2, change="major", title="Another title of old seven"
    )
    assert log.hear(a_verdict(revised)) == []


def test_a_late_story_is_told_and_says_so(log: Log) -> None:
    """Published long before it was seen: at most medium, and the alert tells how long."""
    (alert,) = log.hear(a_verdict(a_story(arrival="late", published="2026-05-11T18:00:00.000Z")))
    assert alert.severity <= 3
    assert "published 9 hours earlier" in alert.body


def test_unflagged_verdicts_of_strangers_are_nobodys_news(log: Log) -> None:
    """A near miss leaves no trace."""
    assert log.hear(a_verdict(flagged=False, near_miss=True)) == []
    assert log.messages == []


def test_a_later_revision_that_is_flagged_at_last_opens(log: Log) -> None:
    """What was no match at first may become one."""
    log.hear(a_verdict(flagged=False))
    later = "2026-05-12T05:00:00.000Z"
    (alert,) = log.hear(a_verdict(a_story(revision=2, change="major", fetched_at=later)))
    assert (alert.kind, alert.created_at) == ("opened", later)


def test_a_corrected_title_is_an_update_with_before_and_after(log: Log) -> None:
    """The publisher's own major revision of what was told is told, once, and supersedes."""
    (opened,) = log.hear(a_verdict())
    revised = a_verdict(a_story(revision=2, change="major", title="Correction: 1,000 containers, not 10,000"))
    (updated,) = log.hear(revised)
    assert (updated.kind, updated.supersedes) == ("updated", opened.id)
    assert updated.reason == "The publisher changed the title"
    (change,) = updated.changes
    assert (change.what, change.before, change.after) == ("title", a_story().title, revised.story.title)  # type: ignore[union-attr]
    assert log.hear(revised) == []
    assert log.storyline().headline == "Correction: 1,000 containers, not 10,000"


def test_changed_words_of_the_evidence_are_an_update(log: Log) -> None:
    """Each changed quotation stands beside what it was."""
    log.hear(a_verdict())
    text = STATEMENT.replace("by rail", "by sea")
    (updated,) = log.hear(
        a_verdict(a_story(revision=2, change="major", summary=text), evidence=evidence_in(text, rus="Russia"))
    )
    assert [(one.what, one.before, one.after) for one in updated.changes] == [("evidence", STATEMENT, text)]


@pytest.mark.parametrize(("change", "alerts"), [("minor", 0), ("text", 0), ("major", 1)])
def test_only_a_major_change_of_what_was_told_is_told(log: Log, change: str, alerts: int) -> None:
    """A typing error put right, or article text found later, is no news."""
    log.hear(a_verdict())
    assert (
        len(
            log.hear(
                a_verdict(a_story(revision=2, change=change, title="North Korea shipped shells, they say"))
            )
        )
        == alerts
    )


def test_a_tier_that_rises_is_news_whatever_the_change(log: Log) -> None:
    """T3 becomes T1 when the text is read."""
    log.hear(a_verdict(tier="T3"))
    (alert,) = log.hear(a_verdict(a_story(revision=2, change="text"), tier="T1"))
    assert (alert.kind, alert.reason) == ("updated", "Tier rose from T3 to T1")
    assert log.storyline().tier == "T1"
    assert log.hear(a_verdict(a_story(revision=3, change="text"), tier="T2")) == []
    assert log.storyline().tier == "T1"


def test_a_copys_revision_is_never_news(log: Log) -> None:
    """Only who was quoted is followed."""
    log.hear(a_verdict(), a_copy())
    assert log.hear(a_copy(revision=2, change="major", title="Something else altogether is said here")) == []


def test_a_story_that_stops_matching_stays_and_is_counted(log: Log) -> None:
    """Its member is brought up to date; nobody is told yet."""
    log.hear(a_verdict())
    assert (
        log.hear(
            a_verdict(a_story(revision=2, change="major", title="No arms at all, says paper"), flagged=False)
        )
        == []
    )
    assert log.member("story").title == "No arms at all, says paper"
    assert log.storyline().revision == 2
    assert log.metrics.value("tumen_skips_total", reason="story_unmatched") == 1


def test_a_verdict_that_comes_twice_changes_nothing(log: Log) -> None:
    """Also after a restart, and in whatever order."""
    log.hear(a_verdict(), a_copy())
    log.hear(a_verdict(a_story(revision=2, change="minor")))
    log.restart()
    written = len(log.messages)
    assert log.hear(a_verdict(), a_copy(), a_verdict(a_story(revision=2, change="minor"))) == []
    assert len(log.messages) == written
    assert log.metrics.value("tumen_skips_total", reason="verdict_repeated") == 3


def test_a_restart_between_any_two_verdicts_changes_nothing() -> None:
    """Whatever is decided derives from the log: one batch, single batches and restarts end alike."""
    verdicts = [
        a_verdict(),
        a_copy("b", first_seen="2026-05-12T02:00:00.000Z", fetched_at="2026-05-12T04:00:00.000Z"),
        a_copy("a", language="ko"),
        a_verdict(a_story(revision=2, change="major", title="Containers left port, officials corrected")),
        a_copy("c", title="Containers left port, officials corrected"),
        a_copy("b", revision=2, title="Boxes went by sea, officials in the port say"),
        a_copy("d", title="Boxes went by sea, officials in the port say"),
        a_verdict(a_story("other", title=a_story().title, first_seen="2026-05-30T00:00:00.000Z")),
    ]
    whole, single, restarted = Log(), Log(), Log()
    whole.hear(*verdicts)
    for verdict in verdicts:
        single.hear(verdict)
        restarted.hear(verdict)
        restarted.restart()
    for topic in (STORYLINES.name, STORYLINE_MEMBERS.name, ALERTS.name):
        ends = [
            {key: message.value for key, message in log.latest(topic).items()}
            for log in (whole, single, restarted)
        ]
        assert ends[0] == ends[1] == ends[2]
    assert len(whole.storyline().members_latest) == 1


@pytest.mark.parametrize(
    "record",
    [
        Record(VERDICTS.name, 0, 7, "k", b"\xff not json", (), 0),
        Record(VERDICTS.name, 0, 7, "k", None, (), 0),
        a_record(VERDICTS, a_verdict(fingerprint=None)),
        a_record(VERDICTS, a_verdict(a_story(first_seen="2026-13-45T99:00:00.000Z", published=None))),
    ],
)
def test_what_cannot_be_read_goes_to_the_dead_letters_beside_the_good(log: Log, record: Record) -> None:
    """One bad record costs itself."""
    assert len(log.hear(record, a_verdict())) == 1
    dead = [message for message in log.messages if message.topic == VERDICTS.dlq.name]
    assert [message.value for message in dead] == [record.value]
    assert dict(dead[0].headers)["dlq-stage"] == b"correlator"


def test_state_that_cannot_be_read_is_counted_and_left(log: Log) -> None:
    """A damaged record of state does not stop the lane."""
    log.stage.load(Record(STORYLINES.name, 0, 3, "k", b"{}", (), 0))
    assert log.metrics.value("tumen_skips_total", reason="state_undecodable") == 1
    assert len(log.hear(a_verdict())) == 1


def test_a_step_changes_nothing_until_it_is_adopted(log: Log) -> None:
    """A transaction that fails leaves no trace in memory."""
    record = a_record(VERDICTS, a_verdict())
    first = log.stage.step([record], NOW)
    again = log.stage.step([record], NOW)
    assert [message.value for message in first.messages] == [message.value for message in again.messages]
    assert log.stage.next_wakeup() is None


@pytest.mark.parametrize("restarted", [False, True])
def test_a_storyline_quiet_for_200_days_is_forgotten_with_its_members(log: Log, restarted: bool) -> None:
    """At the midnight after; its alerts stay; a story that comes later opens anew, also after a restart."""
    log.hear(a_verdict(), a_copy())
    due = log.stage.next_wakeup()
    assert due == moment("2026-11-29T00:00:00.000Z")
    assert log.hear(now=due - timedelta(seconds=1)) == []
    assert len(log.latest(STORYLINES.name)) == 1
    log.hear(now=due)
    assert log.latest(STORYLINES.name) == log.latest(STORYLINE_MEMBERS.name) == {}
    assert len(log.latest(ALERTS.name)) == 1
    assert log.stage.next_wakeup() is None
    if restarted:
        log.restart()
    (again,) = log.hear(a_verdict(a_story(revision=2)))
    assert (again.kind, again.supersedes) == ("opened", None)


def test_news_puts_off_forgetting(log: Log) -> None:
    """A timer that comes too early finds nothing and is set anew."""
    log.hear(a_verdict())
    early = log.stage.next_wakeup()
    assert early is not None
    log.hear(a_copy(fetched_at="2026-08-01T00:00:00.000Z", first_seen="2026-05-13T00:00:00.000Z", revision=2))
    step = log.stage.step([], early)
    assert step.messages == []
    step.adopt()
    assert log.stage.next_wakeup() == moment("2027-02-18T00:00:00.000Z")


def test_old_members_leave_the_index_and_keep_their_place(log: Log) -> None:
    """Memory is bounded by what may still be joined; a late revision is still known."""
    log.hear(a_verdict())
    log.hear(a_verdict(a_story("new", first_seen="2026-06-20T00:00:00.000Z")))
    memory = log.stage._memory
    assert set(memory.urls) == {"https://baltic.example/2026/new"}
    assert memory.members[stable_id("story")].fingerprint.signature == ()
    assert log.hear(a_verdict(a_story(revision=2, change="minor"))) == []


def test_every_message_goes_to_a_topic_that_the_correlator_writes(log: Log) -> None:
    """The table of topics names its writer."""
    log.hear(a_verdict())
    assert {TOPICS[message.topic].written_by for message in log.messages} == {"correlator"}


def test_with_a_clock_it_says_how_long_an_alert_took(log: Log) -> None:
    """From the fetch of the story to the moment after the commit; without a clock nothing is said."""
    log.hear(a_verdict(a_story("first")))
    assert log.metrics.value("tumen_alert_seconds_count") == 0
    verdict = a_verdict(a_story("other"))
    assert verdict.story is not None
    clock = VirtualClock(moment(verdict.story.fetched_at) + timedelta(seconds=2))
    timed = CorrelatorStage(ALane(), log.metrics, clock)  # type: ignore[arg-type]
    timed.step([a_record(VERDICTS, verdict)], NOW).adopt()
    assert log.metrics.value("tumen_alert_seconds_count") == 1
    assert log.metrics.value("tumen_alert_seconds_sum") == pytest.approx(2.0)
