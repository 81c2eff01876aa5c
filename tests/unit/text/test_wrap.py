"""Lines on a terminal: as wide as they look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.text.wrap import columns, wrapped


@pytest.mark.parametrize(
    ("text", "width"), [("shells", 6), ("포탄", 4), ("砲弾abc", 7), ("e\u0301", 1), ("\u200b", 0), ("", 0)]
)
def test_columns_are_those_of_a_terminal(text: str, width: int) -> None:
    """Wide letters take two columns, combining marks none."""
    assert columns(text) == width


def test_text_with_spaces_breaks_at_spaces() -> None:
    """No word is torn."""
    assert wrapped("one two three four", 9) == ["one two", "three", "four"]


def test_scripts_without_spaces_break_anywhere_but_before_closing_marks() -> None:
    """Japanese and Chinese fill the line; a full stop never begins one."""
    assert wrapped("北朝鮮が砲弾を送った。", 10) == ["北朝鮮が砲", "弾を送った。"]


def test_every_line_after_the_first_hangs() -> None:
    """The indents are part of the width."""
    assert wrapped("aa bb cc", 6, first="> ", rest="   ") == ["> aa", "   bb", "   cc"]


@given(st.text(max_size=200), st.integers(10, 80))
def test_nothing_is_lost_and_lines_fit(text: str, width: int) -> None:
    """Whatever the text: the same letters in the same order, and only a single long word is too wide."""
    lines = wrapped(text, width)

    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(columns(line) <= width + 2 or " " not in line.strip() for line in lines)
