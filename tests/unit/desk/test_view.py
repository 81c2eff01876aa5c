"""What the page says of an alert."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas import Counts
from services.desk.view import alert_view, concept_words, counts, link, shown, when
from tests.builders import an_alert
from tests.desk_alerts import arabic, english, printed, quoted, russian, told

NOW = datetime(2026, 5, 12, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//elsewhere.example/x",
        "https://",
        "https://bank.example@evil.example/",
        "https://evil.example/\u202egpj.exe",
        "https://evil.example/a b",
        "https://[::1",
        "https://long.example/" + "x" * 3_000,
        "",
    ],
)
def test_unsafe_links_lead_nowhere(url: str) -> None:
    """The title is shown, and nothing can be followed."""
    assert link("Title", url, "en").href is None


def test_a_link_shows_its_host_as_dns_knows_it() -> None:
    """A name in mixed scripts cannot pass for another."""
    assert link("x", "https://news.example:8080/a", None).host == "news.example"
    assert link("x", "https://nеws.example/a", None).host.startswith("xn--")
    assert link("x", "https://\u0628\u0301a\u0628.example/a", None).host.isascii()


@pytest.mark.parametrize("language", ["<b>", "en x", "en\n", "", "x"])
def test_a_language_that_is_no_tag_is_left_out(language: str) -> None:
    """An attribute holds what the standard knows."""
    assert link("x", "https://a.example/", language).language is None


def test_an_untitled_story_says_so() -> None:
    """An empty link could not be followed."""
    assert link("", "https://a.example/", None).text == "(no title)"


def test_foreign_text_is_short_and_without_controls() -> None:
    """A megabyte becomes a paragraph; bidi controls, escapes and lone surrogates become signs."""
    text = shown("\u202e\x1b[2J\ud800" + "x" * 1_000_000)
    assert len(text) == 1_001
    assert not set(text) & {"\u202e", "\x1b", "\ud800"}


def test_times_carry_their_zone() -> None:
    """UTC is written out; the year where it is not this one."""
    assert when("2026-05-12T03:04:05.000Z", NOW).short == "12 May 03:04 UTC"
    assert when("2024-10-18T03:04:05.000Z", NOW).short == "18 Oct 2024 03:04 UTC"
    assert when("2026-05-12T03:04:05.000Z", NOW).full == "Tuesday 12 May 2026, 03:04:05 UTC"


def test_counts_are_words_and_bases_come_first() -> None:
    """Singular and plural; what is nought is left out; one outlet is a single source."""
    alert = an_alert(counts=Counts(bases=2, origins=1, copies=1_200, outlets=14, languages=1))
    assert counts(alert) == ("2 bases", "1 origin", "1,200 copies", "14 outlets", "1 language")
    assert counts(an_alert(counts=Counts(bases=1, origins=1, outlets=1, languages=1))) == ("single source",)


def test_the_headline_keeps_its_language_and_its_outlet_stands_beside() -> None:
    """The alert's title names the outlet first; the page does so on its own line."""
    view = alert_view(arabic(), NOW)
    assert (view.title.language, view.outlet.outlet if view.outlet else None) == ("ar", "صدى الشرق")
    assert view.title.text == arabic().sources[0].title
    labelled = alert_view(russian(), NOW).outlet
    assert labelled is not None
    assert labelled.label == "state media RU"


def test_a_headline_that_is_evidence_is_marked_and_not_said_twice() -> None:
    """The headline's own quotation stands in the headline; the others below it."""
    view = alert_view(english(), NOW)
    assert view.headline is not None
    marked = [part.text for part in view.headline.quotation.segments if part.family]
    assert marked == ["North Korean", "munitions", "Russia"]
    assert [item.quotation.field for item in view.quotations] == ["summary"]


def test_an_alert_without_sources_is_shown_by_its_own_title() -> None:
    """What older or other writers leave out does not break the page."""
    view = alert_view(an_alert("bare"), NOW)
    assert (view.outlet, view.title.text) == (None, "Baltic Wire: shells by rail (bare)")


def test_a_quotation_names_its_outlet_where_it_is_another_one() -> None:
    """The lead's own quotations need no second attribution."""
    other = printed("fr1", "Azure Coast Post", "fr", "x", label="belligerent UA")
    mixed = told("m", other, english().evidence, "05:00", others=english().sources)
    assert [item.outlet for item in alert_view(english(), NOW).quotations] == [None]
    assert [item.outlet for item in alert_view(mixed, NOW).quotations] == ["Potomac Ledger"] * 2


def test_concepts_have_names_for_readers() -> None:
    """The lexicon's keys are not what a reader should see."""
    assert concept_words("materiel.air_defence") == "air defence"
    assert concept_words("dprk") == "North Korean side"


def test_a_quotation_whose_story_is_not_listed_names_nobody() -> None:
    """An alert may quote more stories than it lists sources: no outlet is made up for them."""
    alert = an_alert(evidence=quoted("elsewhere", "Shells were sent.", materiel__ammunition="Shells"))
    (quotation,) = alert_view(alert, NOW).quotations
    assert (quotation.outlet, quotation.label, quotation.language) == (None, None, None)
