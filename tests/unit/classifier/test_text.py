"""Views keep the way back to the text as given; sentences and languages are told from views."""

from __future__ import annotations

import unicodedata

import pytest

from services.classifier.language import declared_language, language_of, language_unread, script_of
from services.classifier.sentences import sentences
from services.classifier.text import fold, make_view, skim


def words_at(raw: str, needle: str) -> str:
    """Return what the raw text holds where the view has a word."""
    view = make_view(raw)
    start = view.low.index(needle)
    begin, end = view.span(start, start + len(needle))
    return raw[begin:end]


@pytest.mark.parametrize(
    ("raw", "needle", "given"),
    [
        ("<p>North Korea</p>", "north korea", "North Korea"),
        ("North&nbsp;Korea &amp; Russia", "north korea", "North&nbsp;Korea"),
        ("P&oacute;łnocna", "północna", "P&oacute;łnocna"),
        ("am\u00admu\u00adni\u00adtion now", "ammunition", "am\u00admu\u00adni\u00adtion"),
        ("North Ko&shy;rea", "north korea", "North Ko&shy;rea"),
        ("<b>North</b> <i>Korea</i>", "north korea", "North</b> <i>Korea"),
        ("North\n  Korea", "north korea", "North\n  Korea"),
        ("İran and Kim Jong-un", "kim jong un", "Kim Jong-un"),
        ("a < b and Kim", "kim", "Kim"),
        ("\ud800 Kim", "kim", "Kim"),
        ("صَوَاريخ", "صواريخ", "صَوَاريخ"),
        (unicodedata.normalize("NFD", "새 북한 포탄"), "북한", unicodedata.normalize("NFD", "북한")),
        (unicodedata.normalize("NFD", "Płóciennik i Йосиф"), "йосиф", unicodedata.normalize("NFD", "Йосиф")),
        ("\uf963韓、ロシアに", "北韓", "\uf963韓"),
        ("新型ﾐｻｲﾙをﾛｼｱｶﾞﾜに", "ロシアガワ", "ﾛｼｱｶﾞﾜ"),
        ("Се\u0301верный край", "северный", "Се\u0301верный"),
        ("Се\u0301верный \u0438\u0306од", "северный йод", "Се\u0301верный \u0438\u0306од"),
        ("Туманґан", "туманган", "Туманґан"),
        ("PФ и КHДP", "кндр", "КHДP"),  # Latin P, H, P
        ("Nоrth Kоrea", "north korea", "Nоrth Kоrea"),  # Cyrillic о
        ("ＫＮ－２３の残骸", "kn 23", "ＫＮ－２３"),
    ],
)
def test_a_view_points_back_into_the_text_as_given(raw: str, needle: str, given: str) -> None:
    """Markup, entities, soft hyphens and space runs are read through, and stay in the span."""
    assert words_at(raw, needle) == given


@pytest.mark.parametrize("text", ["fpvдрон", "xакер", "iphone и vpn", "ціна coca cola"])
def test_a_word_of_two_alphabets_stays_unless_one_of_them_only_looks_so(text: str) -> None:
    """Latin x before акер is a Cyrillic letter; fpv before дрон is not, nor is a Latin name in a Cyrillic text."""
    assert fold(text) == text.replace("xа", "\u0445а")


@pytest.mark.parametrize("text", ["İSTANBUL", "Straße ẞ", "ΣΊΣΥΦΟΣ", "Ёлка", "أحمد", "ǅ"])
def test_folding_keeps_the_length(text: str) -> None:
    """Every place of a folded text is the same place of the text."""
    assert len(fold(text)) == len(text)


def test_the_gate_reads_through_markup_and_entities() -> None:
    """Entities and hidden characters do not hide a key from the gate."""
    assert "north korea" in skim("North&nbsp;Ko\u00adrea")
    assert "kim jong un" in skim("Kim  Jong-Un", "x")
    assert "северный" in skim("Се\u0301верный")
    assert "кндр" in skim("КHДP")
    assert "북한" in skim(unicodedata.normalize("NFD", "북한"))
    assert "ピョンヤン" in skim("ﾋﾟｮﾝﾔﾝから")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? Four", 4),
        ("The U.S. and N. Korea spoke. It ended.", 2),
        ("Korea Płn. wysłała broń. Rosja milczy.", 2),
        ("러시아는 부인했다. 북한은 침묵했다.", 2),
        ("ロシアは否定した。北朝鮮は沈黙した。", 2),
        ("Kim meets Putin; missiles hit Crimea", 2),
        ("<p>One</p><p>Two</p>", 2),
        ("Title line\nNext line", 2),
        ("a wrapped\nline", 1),
        ("", 0),
    ],
)
def test_statements_end_where_a_reader_ends_them(text: str, count: int) -> None:
    """Stops, semicolons, block tags and line ends part; abbreviations and wrapped lines do not."""
    assert len(sentences(make_view(text))) == count


def test_a_run_without_stops_is_cut() -> None:
    """A page without punctuation is no single statement."""
    assert len(sentences(make_view("word " * 400))) == 3


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The leaders of the two countries met", "en"),
        ("Przywódcy spotkali się w Moskwie i nie ma to znaczenia", "pl"),
        ("Die Führer trafen sich in der Stadt und", "de"),
        ("Les dirigeants se sont réunis dans la ville", "fr"),
        ("Los líderes se reunieron en la ciudad de", "es"),
        ("Ledarna träffades i staden och det var", "sv"),
        ("I leader si sono incontrati nella città di", "it"),
        ("Лидеры встретились и подписали", "ru"),
        ("Лідери зустрілися і підписали", "uk"),
        ("정상들이 만났다", "ko"),
        ("首脳が会談した", "ja"),
        ("两国领导人会见", "zh-Hans"),
        ("兩國領導人會見", "zh-Hant"),
        ("露朝、対空兵器取引拡大", "ja"),
        ("朝鲜 北韓", None),
        ("Қазақстан мен Ресей келісімге қол қойды", "kk"),
        ("Os líderes dos dois países encontraram-se na cidade", "pt"),
        ("التقى الزعيمان", "ar"),
        ("Οι ηγέτες", None),
        ("", None),
    ],
)
def test_a_language_is_told_and_its_neighbours_are_not_taken_for_it(text: str, language: str | None) -> None:
    """Unknown says None."""
    assert language_of(text, None)[0] == language


def test_a_declared_language_counts_only_where_the_text_cannot_tell() -> None:
    """Page tags lie: Ukrainian pages carry Russian text."""
    assert language_of("лидеры встретились и подписали", "uk")[0] == "ru"
    assert language_of("kim putin", "pl-PL")[0] == "pl"
    assert language_of("kim putin", "ru")[0] is None
    assert language_unread("两国领导人会见", "zh-TW") == "zh-Hant"
    assert language_unread("лидеры встретились", "uk") == "uk"
    assert language_unread("лидеры встретились", None) is None
    assert language_unread("정상들이 만났다", "en") == "ko"
    assert language_of("露朝軍事協力", "ja")[0] == "ja"
    assert language_of("俄羅斯軍事合作", "ja")[0] == "zh-Hant"
    assert declared_language("zh_TW") == "zh-Hant"
    assert declared_language("english please") is None
    assert script_of("Δ") == "other"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("North Korea (북한) sends shells to Russia", "latin"),
        ("Rodong Sinmun (로동신문): Kim receives a guest from Moscow", "latin"),
        ("A ship by the name of ロシア reaches Vladivostok", "latin"),
        ("The Δ unit, says Moscow", "latin"),
        ("Moscow receives \u0378 shells", "latin"),
        ("KN-23 미사일 North", "hangul"),
        ("ICBMはRussiaに", "kana"),
        ("Οι ηγέτες", "other"),
    ],
)
def test_a_word_quoted_in_another_script_does_not_change_the_script_of_a_text(text: str, script: str) -> None:
    """Reporters add names as locals write them; the word lists of the text's own language still apply."""
    assert script_of(text) == script
