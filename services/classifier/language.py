"""Which language a text is in: by script and letters, by small words, else by what the feed declares."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

# Enough to tell a script by; the rest of a long text adds time, not certainty.
SAMPLE_LENGTH_MAX = 300
VOTES_SAMPLE_MAX = 200
_LETTER_LANGUAGES = {
    **dict.fromkeys("ąćęłńśźż", "pl"),
    **dict.fromkeys("ñ¿¡", "es"),
    **dict.fromkeys("çœêûëî", "fr"),
    **dict.fromkeys("ßü", "de"),
    "å": "sv",
    "ì": "it",
}
"""Letters that one of our languages has nearly to itself; each kind counts as one small word."""
DECLARED_MAX = 512
"""Different language tags remembered; a feed list has a few dozen."""
# Fewer small words than this prove nothing (a headline often has one).
VOTES_MIN = 2

_SCRIPTS = re.compile(
    "(?P<hangul>[\uac00-\ud7a3])|(?P<kana>[\u3041-\u30fa])|(?P<han>[\u4e00-\u9fff])"
    "|(?P<cyrillic>[\u0400-\u04ff])|(?P<arabic>[\u0621-\u06d3])"
)
_FOREIGN = re.compile("[\u0370-\u1dff\u3040-\ud7a3]")
"""Any letter of a script that is not Latin; typographic signs (U+2000 and on) are not among them."""
_OTHER = re.compile("[\u0370-\u03ff\u0590-\u05ff\u0900-\u0e7f\u10a0-\u10ff]")
_NOT_ARABIC = frozenset("پچگژے")
"""Letters of Persian and Urdu."""
_SIMPLIFIED = frozenset(
    "国这们个为来时发对说会学实现样关点东车长门见马龙罗军战乌韩进还开间问题导弹总统话两鲜"
)
_TRADITIONAL = frozenset(
    "國這們個為來時發對說會學實現樣關點東車長門見馬龍羅軍戰烏韓進還開間問題導彈總統話兩鮮"
)

SCRIPT_OF = {
    **dict.fromkeys(
        ("en", "de", "fr", "es", "pl", "sv", "it", "pt", "nl", "da", "no", "fi", "cs", "tr"), "latin"
    ),
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "kk", "mk"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ur"), "arabic"),
    "ko": "hangul",
    "ja": "kana",
    "zh-Hans": "han",
    "zh-Hant": "han",
}

_SMALL_WORDS = {
    "en": "the of to and in for is on with as at from by that his was are has after over will its says be it new",
    "de": "der die das und ist im den von zu mit sich auf für ein eine dem nicht des wird nach auch bei sind aus wie",
    "fr": "le la les des et est du de en un une pour dans sur au par qui que pas ce avec son sont plus ses aux à a été ont aurait selon cette il d'un d'une",
    "es": "a el la los las de del y en un una por con para que se su al es como más lo sus ha sobre entre",
    "pl": "w z na do się nie że i o jest po od za przez dla jak są oraz to ma już co po tym został może",
    "sv": "och att det som en på är för av med den till i inte har om ett var från sig de kan efter vid",
    "it": "il di che la e del un per una in con non le della si dei è gli al sono più nel alla da ha",
}
_WORD_LANGUAGES: dict[str, tuple[str, ...]] = {}
for _language, _words in _SMALL_WORDS.items():
    for _word in set(_words.split()):
        _WORD_LANGUAGES[_word] = (*_WORD_LANGUAGES.get(_word, ()), _language)


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


def language_of(low: str, hint: str | None) -> tuple[str | None, str]:
    """Return (language or None, script) of a folded text; a declared language counts where the text cannot tell."""
    declared = declared_language(hint)
    script = script_of(low)
    told = _told(low, script)
    if told is not None:
        return told, script
    if declared is not None and SCRIPT_OF.get(declared, script) in {
        script,
        "han" if script == "kana" else script,
    }:
        return declared, script
    return None, script


def script_of(low: str) -> str:
    """Return the script of a text: hangul, kana (Japanese), han, cyrillic, arabic, latin or other."""
    if low.isascii():
        return "latin"
    sample = low[:SAMPLE_LENGTH_MAX]
    if not _FOREIGN.search(sample):
        return "latin"
    counts = Counter(match.lastgroup for match in _SCRIPTS.finditer(sample))
    if not counts:
        return "other" if _OTHER.search(sample) else "latin"
    if counts["hangul"]:
        return "hangul"
    if counts["kana"] and counts["kana"] + counts["han"] >= counts["cyrillic"]:
        return "kana"
    script = str(counts.most_common(1)[0][0])
    # A Latin text may quote a foreign word.
    return script if counts[script] * 4 >= sum(map(str.isalpha, sample)) else "latin"


def _told(low: str, script: str) -> str | None:
    """Return what the text itself says."""
    match script:
        case "hangul" | "kana":
            return "ko" if script == "hangul" else "ja"
        case "han":
            return _chinese(low)
        case "cyrillic":
            return _cyrillic(low)
        case "arabic" if not _NOT_ARABIC.intersection(low):
            return "ar"
        case "latin":
            return _latin(low)
        case _:
            return None


def _chinese(low: str) -> str | None:
    sample = low[:SAMPLE_LENGTH_MAX]
    simplified = sum(letter in _SIMPLIFIED for letter in sample)
    traditional = sum(letter in _TRADITIONAL for letter in sample)
    if simplified == traditional:
        return None
    return "zh-Hans" if simplified > traditional else "zh-Hant"


def _cyrillic(low: str) -> str | None:
    if any(letter in low for letter in "ўәқғң"):
        return None
    sample = low[:SAMPLE_LENGTH_MAX]
    ukrainian = sum(map(sample.count, "іїєґ"))
    russian = sum(map(sample.count, "ыэъ"))
    if ukrainian == russian:
        return None
    return "uk" if ukrainian > russian else "ru"


def _latin(low: str) -> str | None:
    votes: dict[str, int] = {}
    for word in low[:VOTES_SAMPLE_MAX].split():
        if word in _WORD_LANGUAGES:
            for language in _WORD_LANGUAGES[word]:
                votes[language] = votes.get(language, 0) + 1
    if not low.isascii():
        for letter in _LETTER_LANGUAGES.keys() & set(low[:VOTES_SAMPLE_MAX]):
            language = _LETTER_LANGUAGES[letter]
            votes[language] = votes.get(language, 0) + 1
    if not votes:
        return None
    best = max(votes.values())
    leaders = [language for language, count in votes.items() if count == best]
    return leaders[0] if best >= VOTES_MIN and len(leaders) == 1 else None
