"""Which language a text is in: by script, by letters, then by a statistical identifier; else what the feed declares."""

from __future__ import annotations

import re
from collections import Counter
from copy import copy
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from py3langid.langid import MODEL_FILE, LanguageIdentifier

if TYPE_CHECKING:
    from collections.abc import Mapping

# Enough to tell a script by; the rest of a long text adds time, not certainty.
SAMPLE_LENGTH_MAX = 300
DECLARED_MAX = 512
"""Different language tags remembered; a feed list has a few dozen."""
CERTAIN = 0.7
"""A guess below this is none: names alone are in no language."""
CERTAIN_AGAINST = 0.9
"""A guess that contradicts the feed must be as good as this."""

QUOTED = 4
"""A script with fewer than one in so many letters is only quoted."""
QUOTED_DENSE = 8
"""The same of Hangul and kana, which say more with a letter."""

_SCRIPTS = re.compile(
    "(?P<hangul>[\uac00-\ud7a3])|(?P<kana>[\u3041-\u30fa])|(?P<han>[\u4e00-\u9fff])"
    "|(?P<cyrillic>[\u0400-\u04ff])|(?P<arabic>[\u0621-\u06d3])"
)
_FOREIGN = re.compile("[\u0370-\u1dff\u3040-\ud7a3]")
"""Any letter of a script that is not Latin; typographic signs (U+2000 and on) are not among them."""
_OTHER = re.compile("[\u0370-\u03ff\u0590-\u05ff\u0900-\u0e7f\u10a0-\u10ff]")
_SIMPLIFIED = frozenset(
    "国这们个为来时发对说会学实现样关点东车长门见马龙罗军战乌韩进还开间问题导弹总统话两鲜"
)
_TRADITIONAL = frozenset(
    "國這們個為來時發對說會學實現樣關點東車長門見馬龍羅軍戰烏韓進還開間問題導彈總統話兩鮮"
)

_JAPANESE = frozenset(
    "戦対発実関験鉄弾広売変図価圧権伝営続様撃総応労従検観駆軽帰県拠両団処辺沢黒拡択齢鉱焼遅譲"
)
"""Letters as only Japan writes them; a headline may hold no kana at all."""
_NEVER_JAPANESE = frozenset(
    "這們來發對說會學實樣關點戰彈總兩還國烏俄"
    "这们个为时发对说实现样关东车长门见马龙罗军战乌韩进还开间问题导弹总统话两鲜"
)

SCRIPT_OF = {
    **dict.fromkeys(
        (
            "en",
            "de",
            "fr",
            "es",
            "pl",
            "sv",
            "it",
            "pt",
            "nl",
            "da",
            "no",
            "fi",
            "cs",
            "sk",
            "hu",
            "ro",
            "tr",
            "hr",
            "id",
            "vi",
        ),
        "latin",
    ),
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "kk", "mk"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ur"), "arabic"),
    "ko": "hangul",
    "ja": "kana",
    "zh-Hans": "han",
    "zh-Hant": "han",
}
"""Our languages and their neighbours: without those, a Portuguese text would have to be Spanish."""
GUESSED = ("latin", "cyrillic", "arabic")
"""Scripts that many languages share."""


@lru_cache(maxsize=DECLARED_MAX)
def declared_language(hint: str | None) -> str | None:
    """Return a declared language tag in our form (``pl-PL`` -> ``pl``, ``zh-TW`` -> ``zh-Hant``); None: no tag."""
    if not hint:
        return None
    tag = hint.strip().lower().replace("_", "-")
    primary = tag.split("-")[0]
    if primary == "zh":
        return "zh-Hant" if any(part in tag for part in ("tw", "hk", "mo", "hant")) else "zh-Hans"
    return primary if 2 <= len(primary) <= 3 and primary.isalpha() else None  # noqa: PLR2004 - ISO 639


def language_of(text: str, hint: str | None) -> tuple[str | None, str]:
    """Return (language or None, script) of a text; a declared language counts where the text cannot tell."""
    script = script_of(text)
    declared = _declared(hint, script)
    told, certainty = _told(text, script, hint)
    needed = CERTAIN if declared is None else CERTAIN_AGAINST
    return told if told is not None and certainty >= needed else declared, script


def told_surely(text: str) -> str | None:
    """Return the language that a text is in without any doubt worth naming, whatever the feed declares."""
    told, certainty = _told(text, script_of(text), None)
    return told if certainty >= CERTAIN_AGAINST else None


def language_unread(low: str, hint: str | None) -> str | None:
    """Return what script and feed say of a text that nobody will read: the same for every text of a feed."""
    script = script_of(low)
    return _declared(hint, script) or {"hangul": "ko", "kana": "ja"}.get(script)


def _declared(hint: str | None, script: str) -> str | None:
    """Return the declared language unless the script contradicts it."""
    declared = declared_language(hint)
    if declared is None:
        return None
    fits = SCRIPT_OF.get(declared, script) in {script, "han" if script == "kana" else script}
    return declared if fits else None


def script_of(low: str) -> str:
    """Return the script of a text: hangul, kana (Japanese), han, cyrillic, arabic, latin or other."""
    if low.isascii():
        return "latin"
    sample = low[:SAMPLE_LENGTH_MAX]
    if not _FOREIGN.search(sample):
        return "latin"
    counts = Counter(match.lastgroup for match in _SCRIPTS.finditer(sample))
    letters = sum(map(str.isalpha, sample))
    # A Latin text may quote a foreign word, a name in Hangul or kana, a Greek letter.
    if not counts:
        return "other" if len(_OTHER.findall(sample)) * QUOTED > letters else "latin"
    if counts["hangul"] * QUOTED_DENSE > letters:
        return "hangul"
    japanese = counts["kana"] + counts["han"]
    if counts["kana"] and japanese * QUOTED_DENSE > letters and japanese >= counts["cyrillic"]:
        return "kana"
    script = str(counts.most_common(1)[0][0])
    return script if counts[script] * QUOTED >= letters else "latin"


def _told(text: str, script: str, hint: str | None) -> tuple[str | None, float]:
    """Return what the text itself says, and how sure that is, from 0 to 1."""
    match script:
        case "hangul":
            return "ko", 1.0
        case "kana":
            return "ja", 1.0
        case "han":
            return _of_han(text, declared_language(hint)), 1.0
        case _ if script in GUESSED:
            language, certainty = identifiers()[script].classify(text[:SAMPLE_LENGTH_MAX])
            return str(language), float(certainty)
        case _:
            return None, 0.0


def _of_han(text: str, declared: str | None) -> str | None:
    sample = text[:SAMPLE_LENGTH_MAX]
    if _NEVER_JAPANESE.isdisjoint(sample) and (declared == "ja" or not _JAPANESE.isdisjoint(sample)):
        return "ja"
    simplified = sum(letter in _SIMPLIFIED for letter in sample)
    traditional = sum(letter in _TRADITIONAL for letter in sample)
    if simplified == traditional:
        return None
    return "zh-Hans" if simplified > traditional else "zh-Hant"


@cache
def identifiers() -> Mapping[str, LanguageIdentifier]:
    """Return py3langid's identifier for each script's languages (Lui and Baldwin 2012).

    Loading takes some tenths of a second and 80 MB, once a process: ``load_model`` does it, so that no story waits for it.
    """
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found = {}
    for script in GUESSED:
        found[script] = copy(whole)  # the tables are shared
        found[script].set_languages([language for language, its in SCRIPT_OF.items() if its == script])
    return found
