"""Sentences of other languages and what they claim: the grammar that English does not show."""

from __future__ import annotations

import pytest

from schemas.claim import Claim
from services.classifier.classify import Item, classify, load_model


def claims_in(language: str, text: str) -> tuple[Claim, ...]:
    """Return what the engine reads in a text of a language."""
    return classify(Item("x", "", text=text, language=language), load_model()).claims


@pytest.mark.parametrize(
    ("language", "text", "status", "direction"),
    [
        ("de", "Nordkorea soll Russland Artilleriegranaten geliefert haben.", "ALLEGED", "DPRK>RUS"),
        ("de", "Nordkorea will weitere Soldaten nach Russland schicken.", "PLANNED", "DPRK>RUS"),
        ("de", "Nordkorea will russische Kampfflugzeuge kaufen.", "SOUGHT", "RUS>DPRK"),
        ("de", "Pjöngjang wies Berichte über Waffenlieferungen an Russland zurück.", "DENIED", "DPRK>RUS"),
        ("fr", "La Corée du Nord aurait livré des obus à la Russie.", "ALLEGED", "DPRK>RUS"),
        ("fr", "La Russie pourrait livrer des avions de combat à Pyongyang.", "POSSIBLE", "RUS>DPRK"),
        ("fr", "Séoul craint que Moscou ne fournisse des satellites à Pyongyang.", "FEARED", "RUS>DPRK"),
        ("es", "Corea del Norte habría entregado proyectiles a Rusia.", "ALLEGED", "DPRK>RUS"),
        ("es", "Rusia pidió a Corea del Norte más munición de artillería.", "SOUGHT", "DPRK>RUS"),
        ("es", "El régimen quiere que Moscú suministre misiles a Pyongyang.", "SOUGHT", "RUS>DPRK"),
        ("es", "Pyongyang quiere aviones de combate rusos, según Kiev.", "SOUGHT", "RUS>DPRK"),
    ],
)
def test_moods_and_split_verbs_say_how_sure(language: str, text: str, status: str, direction: str) -> None:
    """A conditional or a modal is no assertion, and wanting is not getting, in each language by its own means."""
    assert {(claim.status, claim.direction) for claim in claims_in(language, text)} == {(status, direction)}


@pytest.mark.parametrize(
    ("language", "text", "value", "operator", "unit"),
    [
        ("es", "Corea del Norte entregó a Rusia hasta cinco millones de proyectiles.", 5e6, "<=", "round"),
        ("fr", "Pyongyang a livré à Moscou plus d'un million d'obus.", 1e6, ">", "round"),
        ("de", "Nordkorea hat rund 11.000 Soldaten nach Russland entsandt.", 11000, "~", "person"),
    ],
)
def test_a_number_may_be_joined_to_its_unit_by_a_preposition(
    language: str, text: str, value: float, operator: str, unit: str
) -> None:
    """Millions of shells are that many shells."""
    quantity = claims_in(language, text)[0].quantity
    assert quantity is not None
    assert (quantity.value, quantity.op, quantity.unit) == (value, operator, unit)


def test_a_number_beyond_a_side_belongs_to_no_later_unit() -> None:
    """What came from a country is not counted with the number before the country."""
    (claim,) = claims_in("en", "Pyongyang got 15 from Moscow fighter jets, an analyst said.")
    assert claim.quantity is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "es",
            "El portavoz del Kremlin, Dmitri Peskov, declinó hacer comentarios sobre los envíos de proyectiles.",
        ),
        ("fr", "Le porte-parole du Kremlin, Dmitri Peskov, a refusé de commenter les livraisons d'obus."),
    ],
)
def test_the_title_of_who_speaks_gives_nothing(language: str, text: str) -> None:
    """The ministry in a spokesman's title speaks with him: it is no source of what he is asked about."""
    told = {
        "es": "Corea del Norte envió proyectiles a Rusia. ",
        "fr": "La Corée du Nord a livré des obus à la Russie. ",
    }
    answer = claims_in(language, told[language] + text)[-1]
    assert (answer.status, answer.direction) == ("DECLINED_COMMENT", "DPRK>RUS")
    assert answer.claimant.name == "Russia / Kremlin (Dmitry Peskov)"


def test_an_answer_to_this_may_be_about_what_another_wanted_just_before() -> None:
    """Asked about what stands in the sentence before, somebody answers that; later he answers the story."""
    wants = "Nordkorea lieferte Granaten an Russland. Kim wünscht sich Kampfflugzeuge aus Russland."
    answer = "Kremlsprecher Dmitri Peskow wollte sich dazu nicht äußern."
    between = "Die Gespräche dauerten zwei Tage."
    assert claims_in("de", f"{wants} {answer}")[-1].direction == "RUS>DPRK"
    assert claims_in("de", f"{wants} {between} {answer}")[-1].direction == "DPRK>RUS"


@pytest.mark.parametrize(
    ("text", "name", "status"),
    [
        (
            "قالت الاستخبارات الكورية الجنوبية إن كوريا الشمالية أرسلت 3000 جندي إلى روسيا.",
            "South Korea NIS",
            "ALLEGED",
        ),
        (
            "وقال زيلينسكي إن روسيا حصلت على صواريخ من كوريا الشمالية.",
            "Ukraine (Volodymyr Zelensky)",
            "ALLEGED",
        ),
        (
            "وأكد وزير الدفاع الأمريكي لويد أوستن وجود قوات كورية شمالية في روسيا.",
            "Pentagon (Lloyd Austin)",
            "CONFIRMED_BY_CLAIMANT",
        ),
    ],
)
def test_where_the_verb_comes_first_its_subject_follows(text: str, name: str, status: str) -> None:
    """Who stands right after the word of speaking speaks, not the side that the sentence is about."""
    (claim,) = claims_in("ar", text)
    assert (claim.claimant.name, claim.status) == (name, status)
