"""Whatever the text: spans are exact, flag and score agree, nothing raises, the gate loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.classifier.classify import Item, classify, held_back, load_model, read
from services.classifier.text import fold, make_view

PIECES = st.sampled_from(
    [
        "North Korea",
        "N. Korea",
        "Russia",
        "Kim Jong-un",
        "Putin",
        "artillery shells",
        "sent",
        "arms deal",
        "They",
        "북한",
        "러시아",
        "포탄",
        "지원",
        "朝鲜",
        "俄罗斯",
        "北朝鮮が",
        "КНДР",
        "снаряды",
        "كوريا الشمالية",
        "روسيا",
        "missile test",
        "China, Russia and North Korea",
        "<p>",
        "</p>",
        "<b>",
        "&nbsp;",
        "&quot;",
        "&amp;",
        "\u00ad",
        "\u200b",
        "İ",
        "\ud800",
        ". ",
        "。",
        "; ",
        "\n",
        "  ",
        "-",
        "'s",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=25).map(" ".join) | st.lists(PIECES, max_size=25).map(
    "".join
)


@given(TEXTS, TEXTS, TEXTS)
def test_every_span_is_exact_and_flag_and_score_agree(title: str, summary: str, text: str) -> None:
    """``story[field][start:end] == text`` always; flagged only with a statement to show."""
    fields = {"title": title, "summary": summary, "text": text}
    verdict = classify(Item("x", title, summary, text), load_model())
    assert all(fields[span.field][span.start : span.end] == span.text for span in verdict.evidence)
    assert verdict.flagged == (verdict.score >= verdict.threshold)
    assert verdict.flagged == any(span.kind == "statement" for span in verdict.evidence)
    assert verdict.flagged == (verdict.tier != "T0")
    assert not (verdict.flagged and verdict.near_miss)


@given(TEXTS, TEXTS)
def test_the_gate_holds_back_nothing_that_the_rule_would_flag(title: str, summary: str) -> None:
    """The cheap look sees at least what the thorough one sees."""
    model, item = load_model(), Item("x", title, summary)
    if held_back(item, model)[0]:
        assert not any(statement.joins for statement in read(item, model).found)


@given(TEXTS | TEXTS.map(lambda text: text.encode(errors="replace").decode("latin-1")))
def test_views_keep_order_and_bounds(raw: str) -> None:
    """Folding keeps lengths; spans of a view lie inside the text, in order."""
    view = make_view(raw)
    assert len(view.low) == len(view.cased)
    assert len(fold(raw)) == len(raw)
    places = [view.span(place, place + 1) for place in range(len(view.low))]
    assert all(0 <= start < end <= len(raw) for start, end in places)
    assert places == sorted(places)
