"""Russian, Ukrainian and Polish sentences: what endings, word order and company say of direction and standing."""

from __future__ import annotations

import pytest

from schemas.claim import Claim
from services.classifier.classify import Item, classify, load_model


def claims_in(language: str, text: str) -> tuple[Claim, ...]:
    """Return what the engine reads in a text of a language."""
    return classify(Item("x", "", text=text, language=language), load_model()).claims


@pytest.mark.parametrize(
    ("language", "text", "direction"),
    [
        ("ru", "КНДР поставила России артиллерийские снаряды.", "DPRK>RUS"),
        ("ru", "Россия передала КНДР истребители.", "RUS>DPRK"),
        ("ru", "Северной Корее Москва продала зенитные ракеты.", "RUS>DPRK"),
        ("ru", "Ракеты, поставленные Пхеньяном, Россия применила на Украине.", "DPRK>RUS"),
        ("ru", "Взамен КНДР получила от России зенитные ракеты.", "RUS>DPRK"),
        ("uk", "Північна Корея передала Росії артилерійські снаряди.", "DPRK>RUS"),
        ("uk", "Москва надала Північній Кореї винищувачі.", "RUS>DPRK"),
        ("uk", "Кім Чен Ин хоче купити в Росії винищувачі.", "RUS>DPRK"),
        ("uk", "Натомість Росія передала КНДР системи ППО.", "RUS>DPRK"),
        ("pl", "Korea Północna przekazała Rosji pociski artyleryjskie.", "DPRK>RUS"),
        ("pl", "Rosja dostarczyła Korei Północnej myśliwce.", "RUS>DPRK"),
        ("pl", "W zamian Moskwa wysłała Pjongjangowi systemy przeciwlotnicze.", "RUS>DPRK"),
        ("pl", "Amunicja z Korei Północnej trafiła do Rosji.", "DPRK>RUS"),
    ],
)
def test_endings_say_who_gives_to_whom(language: str, text: str, direction: str) -> None:
    """A dative is a goal, an instrumental the agent of a passive, whatever the order of words."""
    assert {claim.direction for claim in claims_in(language, text)} == {direction}


@pytest.mark.parametrize(
    ("language", "text", "status"),
    [
        ("ru", "КНДР якобы отправила в Россию снаряды.", "ALLEGED"),
        ("ru", "КНДР могла отправить в Россию снаряды, сообщил Сеул.", "POSSIBLE"),
        ("ru", "КНДР намерена отправить в Россию солдат, сообщил Сеул.", "PLANNED"),
        ("ru", "Песков отказался комментировать поставки снарядов из КНДР в Россию.", "DECLINED_COMMENT"),
        ("ru", "Песков не подтвердил и не опроверг отправку солдат КНДР в Россию.", "DECLINED_COMMENT"),
        ("uk", "МЗС Росії спростувало постачання снарядів із КНДР.", "DENIED"),
        ("uk", "Путін не підтвердив і не спростував появу військ КНДР у Росії.", "DECLINED_COMMENT"),
        ("uk", "Сеул побоюється, що Москва передасть Пхеньяну ядерні технології.", "FEARED"),
        ("pl", "Korea Północna miała wysłać do Rosji amunicję.", "ALLEGED"),
        ("pl", "Rosja chce kupić amunicję od Korei Północnej, podał Seul.", "SOUGHT"),
        ("pl", "Kreml nie skomentował dostaw amunicji z Korei Północnej.", "DECLINED_COMMENT"),
        ("pl", "Seul uważa, że Korea Północna wysłała do Rosji amunicję.", "ASSESSED"),
    ],
)
def test_standing_follows_its_cue(language: str, text: str, status: str) -> None:
    """A wish is no delivery, silence is no denial, and what is said to have been sent is alleged."""
    assert [claim.status for claim in claims_in(language, text)] == [status]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Kyiv asks for more shells."),
        ("ru", "Киев просит союзников ускорить поставки зенитных ракет."),
        ("uk", "Естонія збільшить військову допомогу Україні."),
        ("uk", "Естонія передасть Україні снаряди."),
    ],
)
def test_arms_that_others_want_or_get_are_no_claim(language: str, text: str) -> None:
    """After a claim of shells, what Kyiv asks for or is given is another matter."""
    first = {
        "en": "North Korea sent shells and missiles to Russia. ",
        "ru": "КНДР поставила России ракеты и снаряды. ",
        "uk": "КНДР передала Росії ракети та снаряди. ",
    }[language]
    assert len(claims_in(language, first)) == 1
    assert len(claims_in(language, first + text)) == 1


@pytest.mark.parametrize(
    ("language", "text", "value", "operator"),
    [
        ("ru", "КНДР отправила в Россию более 13 тысяч контейнеров с боеприпасами.", 13000, ">"),
        ("uk", "КНДР відправила до Росії щонайменше п'ять тисяч солдатів.", 5000, ">="),
        ("pl", "Korea Północna wysłała do Rosji nawet milion pocisków.", 1_000_000, "<="),
    ],
)
def test_number_words_and_operators(language: str, text: str, value: float, operator: str) -> None:
    """Thousands in words, and more or less."""
    (claim,) = claims_in(language, text)
    assert claim.quantity is not None
    assert (claim.quantity.value, claim.quantity.op) == (value, operator)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "КНДР отправила в Россию тысячи контейнеров с боеприпасами."),
        ("uk", "КНДР відправила до Росії кілька тисяч солдатів."),
        ("pl", "Korea Północna wysłała do Rosji dziesiątki tysięcy pocisków."),
    ],
)
def test_thousands_of_something_are_no_number(language: str, text: str) -> None:
    """Thousands, several thousand: nobody counted."""
    (claim,) = claims_in(language, text)
    assert claim.quantity is None or claim.quantity.value is None


@pytest.mark.parametrize(
    ("language", "text", "status"),
    [
        ("en", "North Korea has sent troops to Russia, the Harbour Wire reported.", "ALLEGED"),
        ("en", "North Korea, which has sent troops to Russia, called them heroes.", "CONFIRMED_FIRST_PARTY"),
        ("ru", "КНДР отправила в Россию солдат, пишет «Северный курьер».", "ALLEGED"),
        ("uk", "КНДР відправила до Росії солдатів, пише «Північна хвиля».", "ALLEGED"),
        ("pl", "Rosja dostarczyła Korei Północnej rakiety, podał „Kurier”.", "ALLEGED"),
        ("ru", "КНДР отправила в Россию солдат, сообщил Пхеньян.", "CONFIRMED_FIRST_PARTY"),
        ("ru", "Россия, в свою очередь, поставила Пхеньяну ракеты, пишет «Северный курьер».", "ALLEGED"),
    ],
)
def test_who_acts_confesses_nothing_that_another_reports(language: str, text: str, status: str) -> None:
    """A paper that the lists do not know reports a deed: the one who did it has said nothing."""
    assert [claim.status for claim in claims_in(language, text)] == [status]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "ru",
            "Песков ответил, что о поставках снарядов из КНДР в Россию ничего не сказал министр и комментировать их не будет.",
        ),
        ("pl", "Kreml nie skomentował dostaw broni z Korei Północnej i odmówił odpowiedzi na pytania o nie."),
    ],
)
def test_silence_twice_in_one_sentence_is_one_answer(language: str, text: str) -> None:
    """Who neither comments nor answers has said nothing once."""
    assert [claim.status for claim in claims_in(language, text)] == ["DECLINED_COMMENT"]


@pytest.mark.parametrize(
    ("language", "text", "low", "high"),
    [
        ("ru", "КНДР отправила в Россию от 10 до 12 тысяч солдат.", 10_000, 12_000),
        ("uk", "Від 10 до 12 тисяч військових КНДР перебувають у Росії.", 10_000, 12_000),
        ("pl", "Korea Północna wysłała do Rosji od 500 do 1500 żołnierzy.", 500, 1500),
        ("en", "North Korea sent between 40 and 60 soldiers to Russia.", 40, 60),
    ],
)
def test_both_ends_of_a_range_are_in_thousands(language: str, text: str, low: float, high: float) -> None:
    """From ten to twelve thousand is from ten thousand."""
    (claim,) = claims_in(language, text)
    assert claim.quantity is not None
    assert (claim.quantity.value, claim.quantity.high, claim.quantity.op) == (low, high, "range")
