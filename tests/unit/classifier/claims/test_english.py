"""English sentences and what they claim: direction, standing, things, numbers and who says so."""

from __future__ import annotations

import pytest

from schemas.claim import Claim
from services.classifier.classify import Item, classify, load_model
from services.classifier.explain import QUOTE_LENGTH_MAX, explain_item


def claims_in(text: str, title: str = "") -> tuple[Claim, ...]:
    """Return what the engine reads in a text."""
    return classify(Item("x", title, text=text), load_model()).claims


def only(text: str) -> Claim:
    """Return the one claim of a text."""
    found = claims_in(text)
    assert [(claim.claim_type, claim.status) for claim in found] == [(found[0].claim_type, found[0].status)]
    return found[0]


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("North Korea sent artillery shells to Russia.", "DPRK>RUS"),
        ("Russia sent fighter jets to North Korea.", "RUS>DPRK"),
        ("Artillery shells were shipped to Russia by North Korea.", "DPRK>RUS"),
        ("Russia has bought artillery shells from Pyongyang.", "DPRK>RUS"),
        ("North Korea was given Russian air defence systems.", "RUS>DPRK"),
        ("Moscow fired North Korean artillery shells at Kharkiv.", "DPRK>RUS"),
        ("North Korea has become Russia's biggest supplier of artillery shells.", "DPRK>RUS"),
        ("Russian help for North Korea includes submarine technology.", "RUS>DPRK"),
        ("A Russian ship unloaded weapons in North Korea.", "RUS>DPRK"),
        ("A Russian ship loaded ammunition in North Korea.", "DPRK>RUS"),
        ("North Korean soldiers were pushed out of Kursk by Ukraine.", "DPRK>RUS"),
        ("Russia trained North Korean soldiers.", "RUS>DPRK"),
        ("Russia and North Korea signed a military treaty.", "MUTUAL"),
        (
            "The United States imposed sanctions on ships moving weapons between Russia and North Korea.",
            "MUTUAL",
        ),
    ],
)
def test_direction_follows_goods_and_people(text: str, direction: str) -> None:
    """From whom to whom, whoever is named first and whoever speaks."""
    assert {claim.direction for claim in claims_in(text)} == {direction}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("North Korea sent artillery shells to Russia.", "ALLEGED"),
        ("North Korea has allegedly sent artillery shells to Russia.", "ALLEGED"),
        ("Seoul said North Korea had sent artillery shells to Russia.", "ALLEGED"),
        ("Seoul believes North Korea has sent artillery shells to Russia.", "ASSESSED"),
        ("North Korea may have sent artillery shells to Russia, Seoul said.", "POSSIBLE"),
        ("The US fears North Korea will send artillery shells to Russia.", "FEARED"),
        ("Washington warned North Korea against sending artillery shells to Russia.", "WARNED"),
        ("Russia wants artillery shells from North Korea.", "SOUGHT"),
        ("North Korea agreed to send artillery shells to Russia.", "AGREED"),
        ("North Korea plans to send artillery shells to Russia.", "PLANNED"),
        ("North Korea will send artillery shells to Russia.", "PLANNED"),
        ("Satellite images show a Russian ship loading artillery shells in North Korea.", "IMAGERY_VERIFIED"),
        (
            "The Pentagon confirmed that North Korea had sent artillery shells to Russia.",
            "CONFIRMED_BY_CLAIMANT",
        ),
        (
            "Russia's defence ministry confirmed that North Korean soldiers fought in Kursk.",
            "CONFIRMED_FIRST_PARTY",
        ),
        ("Putin thanked North Korean soldiers for fighting in Kursk.", "CONFIRMED_FIRST_PARTY"),
        ("The US has observed North Korea sending artillery shells to Russia.", "OBSERVED_BY_CLAIMANT"),
        ("Peskov denied that North Korea had sent artillery shells to Russia.", "DENIED"),
        ("Russia's defence ministry said it had not bought artillery shells from North Korea.", "DENIED"),
        ("Peskov declined to comment on artillery shells sent by North Korea to Russia.", "DECLINED_COMMENT"),
        ("The EU blacklisted ships that carry artillery shells from North Korea to Russia.", "SANCTIONED"),
        ("The UN is investigating whether North Korea sent artillery shells to Russia.", "MONITORED"),
        ("North Korea is on course to become Russia's main supplier of artillery shells.", "ASSESSED"),
    ],
)
def test_standing_is_what_the_words_say_and_no_more(text: str, status: str) -> None:
    """Wanting is not getting, a denial is no comment's opposite, and what is said is not so because it is said."""
    assert only(text).status == status


@pytest.mark.parametrize(
    ("text", "value", "operator", "unit"),
    [
        ("North Korea sent more than 1,000 containers of munitions to Russia.", 1000, ">", "container"),
        ("North Korea sent about 10,000 soldiers to Russia.", 10_000, "~", "person"),
        ("North Korea sent at least 8 million artillery shells to Russia.", 8_000_000, ">=", "round"),
        ("North Korea sent two hundred thousand artillery shells to Russia.", 200_000, "=", "round"),
        ("North Korea sent up to 1.5 million artillery shells to Russia.", 1_500_000, "<=", "round"),
        ("North Korea sent fewer than 100 ballistic missiles to Russia.", 100, "<", "missile"),
        ("More than once North Korea sent 10,000 soldiers to Russia.", 10_000, "=", "person"),
        ("North Korea sent 152mm artillery shells to Russia in 2024.", None, None, None),
        ("On 13 October North Korea sent soldiers to Russia.", None, None, None),
        (
            "North Korea sent artillery shells to Russia after a 40 percent rise in output.",
            None,
            None,
            None,
        ),
        (
            "Forty percent of the artillery shells used by Russia come from North Korea.",
            40,
            "=",
            "percent_of_use",
        ),
    ],
)
def test_numbers_keep_their_unit_and_operator(
    text: str, value: float | None, operator: str | None, unit: str | None
) -> None:
    """Containers are never shells, years and calibres count nothing, nothing is converted."""
    found = claims_in(text)[0].quantity
    told = (found.value, found.op, found.unit) if found else (None, None, None)
    assert told == (value, operator, unit)


def test_a_range_has_two_ends() -> None:
    """Ten to twelve thousand is no single number."""
    for text in (
        "North Korea sent 10,000 to 12,000 soldiers to Russia.",
        "North Korea sent 10,000-12,000 soldiers to Russia.",
    ):
        number = only(text).quantity
        assert number is not None
        assert (number.value, number.high, number.op) == (10_000, 12_000, "range")
    (falling,) = claims_in("North Korea sent 12,000-10,000 soldiers to Russia.")
    assert falling.quantity is not None
    assert falling.quantity.op != "range"


@pytest.mark.parametrize(
    ("text", "name", "role"),
    [
        (
            "North Korea sent artillery shells to Russia, John Kirby said.",
            "US National Security Council (John Kirby)",
            "THIRD_PARTY_GOV",
        ),
        (
            "“North Korea sent artillery shells to Russia,” said John Kirby.",
            "US National Security Council (John Kirby)",
            "THIRD_PARTY_GOV",
        ),
        ("According to NATO, North Korea sent artillery shells to Russia.", "NATO", "IGO"),
        ("Seoul: North Korea sent artillery shells to Russia", "South Korea", "THIRD_PARTY_GOV"),
        (
            "South Korea, Japan and the United States said North Korea sent artillery shells to Russia.",
            "South Korea, Japan, United States (joint)",
            "THIRD_PARTY_GOV",
        ),
        (
            "An official at the Pentagon said North Korea sent artillery shells to Russia.",
            "Pentagon",
            "THIRD_PARTY_GOV",
        ),
        ("Officials said North Korea sent artillery shells to Russia.", "officials", "ANONYMOUS_OFFICIAL"),
        (
            "Analysts, some in Tokyo offices, say Moscow got artillery shells from North Korea.",
            "analysts",
            "THINK_TANK",
        ),
        ("“North Korea sent artillery shells to us,” says Moscow.", "Russia", "FIRST_PARTY_RUS"),
        ("North Korea sent artillery shells to Russia.", "reporter", "MEDIA"),
    ],
)
def test_the_speaker_is_who_knows_not_who_is_named(text: str, name: str, role: str) -> None:
    """A name beside a word of speaking, before or after it, alone or in a row; else the outlet."""
    claimant = claims_in(text)[0].claimant
    assert (claimant.name, claimant.role) == (name, role)
    assert claimant.named == (role not in {"MEDIA", "ANONYMOUS_OFFICIAL", "THINK_TANK"})


def test_he_is_whoever_spoke_before() -> None:
    """A pronoun carries the speaker, and so does a quotation that goes on."""
    text = (
        "John Kirby said North Korea had sent artillery shells to Russia. He said Russia had sent fighter jets to"
        " North Korea. “We saw that Russia sent drones to North Korea. Russia will send submarines to North Korea.”"
    )
    assert {claim.claimant.name for claim in claims_in(text)} == {
        "US National Security Council (John Kirby)",
        "reporter",
    }
    names = [claim.claimant.name for claim in claims_in(text)]
    assert names[:2] == ["US National Security Council (John Kirby)"] * 2


def test_a_pronoun_far_from_its_verb_carries_nobody() -> None:
    """Rather the outlet than the wrong speaker."""
    found = claims_in(
        "John Kirby said North Korea had sent soldiers to Russia. He, a keen sailor from the northern coast, later said"
        " Russia had sent fighter jets to North Korea."
    )
    assert [claim.claimant.name for claim in found] == [
        "US National Security Council (John Kirby)",
        "reporter",
    ]


def test_an_answer_finds_what_it_answers() -> None:
    """A denial has the direction and the things of the claim denied, and its id; so has a refusal to comment."""
    sent, denied, silent = claims_in(
        "The White House said North Korea had sent artillery shells to Russia. Peskov called the reports groundless."
        " Asked about it again, he declined to comment."
    )
    assert (denied.status, silent.status) == ("DENIED", "DECLINED_COMMENT")
    assert denied.targets == silent.targets == (sent.id,)
    assert denied.direction == silent.direction == sent.direction == "DPRK>RUS"
    assert (
        {thing.cat for thing in denied.materiel} == {thing.cat for thing in sent.materiel} == {"AMMUNITION"}
    )


def test_an_answer_to_this_is_about_what_was_said_last() -> None:
    """Whoever refuses to discuss it speaks of the sentence before, but never of what somebody merely wants."""
    found = claims_in(
        "Seoul said North Korea had sent artillery shells to Russia. Seoul said North Korea had sent missiles to Russia."
        " Seoul said Russia had sent fighter jets to North Korea. North Korea wants submarines from Russia."
        " The Kremlin declined to comment on this."
    )
    assert (found[-1].status, found[-1].direction) == ("DECLINED_COMMENT", "RUS>DPRK")


def test_an_answer_that_names_its_thing_is_about_that_thing() -> None:
    """A denial of technology does not deny shells."""
    found = claims_in(
        "Seoul said North Korea had sent artillery shells to Russia. Seoul said North Korea had sent missiles to Russia."
        " Seoul said Russia had sent fighter jets to North Korea. Zakharova denied the fighter jets."
    )
    assert (found[-1].status, found[-1].direction) == ("DENIED", "RUS>DPRK")


def test_an_answer_without_a_claim_has_no_direction() -> None:
    """Nothing is made up for a denial that stands alone."""
    (claim,) = claims_in("Russia and North Korea denied military cooperation.")
    assert (claim.status, claim.direction, claim.targets) == ("DENIED", "UNKNOWN", ())


def test_a_title_and_its_text_claim_a_thing_once() -> None:
    """The claim is found on the text where the text has it; a headline without a speaker is the first telling."""
    text = "North Korea sent artillery shells to Russia\nSeoul said on Monday North Korea had sent about 4,000 artillery shells to Russia."
    (claim,) = claims_in(text, title="North Korea sent artillery shells to Russia")
    assert {span.field for span in claim.evidence} == {"text"}
    assert (len(claim.evidence), claim.claimant.name) == (2, "South Korea")
    assert claim.quantity is not None
    two = claims_in(
        "Seoul said North Korea had sent 4,000 artillery shells to Russia. Seoul said North Korea had sent 9,000 artillery shells to Russia."
    )
    assert [claim.quantity.value for claim in two if claim.quantity] == [4000, 9000]


def test_a_flat_headline_over_a_hedged_text_is_the_text_s_claim() -> None:
    """What the headline says flatly and the text with its hedge is one claim, with the hedge."""
    (claim,) = claims_in(
        "North Korea sent artillery shells to Russia\nSeoul believes North Korea has sent artillery shells to Russia."
    )
    assert (claim.status, claim.claimant.name, len(claim.evidence)) == ("ASSESSED", "South Korea", 2)
    wanted = claims_in(
        "Russia got artillery shells from North Korea\nRussia wants artillery shells from North Korea."
    )
    assert [one.status for one in wanted] == ["ALLEGED", "SOUGHT"]


def test_a_headline_that_counts_containers_is_the_text_s_claim() -> None:
    """The same number of the same unit is the same claim, though the text knows what was inside."""
    (claim,) = claims_in(
        "Seoul: 7,000 containers have gone from North Korea to Russia\nSeoul said North Korea had sent 7,000 containers of"
        " munitions to Russia."
    )
    assert claim.quantity is not None
    assert (claim.quantity.value, claim.quantity.unit) == (7_000, "container")


def test_one_sentence_may_claim_several_things() -> None:
    """What is given, and what for."""
    found = claims_in("North Korea sent artillery shells to Russia in exchange for fighter jets, Seoul said.")
    assert [claim.claim_type for claim in found] == ["MATERIEL_TRANSFER", "EXCHANGE_LINK"]
    first = claims_in("In exchange for artillery shells, Russia sent fighter jets to North Korea.")
    assert [(claim.claim_type, claim.direction) for claim in first] == [
        ("EXCHANGE_LINK", "MUTUAL"),
        ("MATERIEL_TRANSFER", "RUS>DPRK"),
    ]


def test_what_goes_on_about_the_same_things_is_in_scope() -> None:
    """The soldiers of the sentence before are still meant; those of a third country are not."""
    found = claims_in(
        "North Korea sent soldiers to Russia. The troops were deployed last week, Seoul said."
        " China deployed troops in the border region. The weather was fine."
    )
    assert [claim.claim_type for claim in found] == ["PERSONNEL"]
    assert len(found[0].evidence) == 2


def test_a_story_that_joins_nothing_claims_nothing() -> None:
    """No flag, no claim."""
    assert claims_in("North Korea fired a ballistic missile into the sea.") == ()


def test_a_sentence_that_names_both_sides_is_in_scope() -> None:
    """Once a story is about the two, what it says of both is about them, arms named or not."""
    found = claims_in(
        "North Korea sent soldiers to Russia, Seoul said. It rained. Russia will deepen relations with North Korea in all areas."
    )
    assert [(claim.claim_type, claim.status) for claim in found] == [
        ("PERSONNEL", "ALLEGED"),
        ("COOPERATION", "PLANNED"),
    ]


def test_one_side_named_is_enough_where_the_other_is_understood() -> None:
    """In a story about both, soldiers killed and arms asked for have their other end; third countries have not."""
    found = claims_in(
        "North Korea sent artillery shells to Russia, Seoul said. It rained. North Korea has lost 300 soldiers killed,"
        " London said. It rained. Pyongyang wants submarines, London said. It rained. Russia bought drones from Iran."
    )
    assert [(claim.claim_type, claim.direction) for claim in found] == [
        ("MATERIEL_TRANSFER", "DPRK>RUS"),
        ("PERSONNEL", "DPRK>RUS"),
        ("MATERIEL_REQUEST", "RUS>DPRK"),
    ]


def test_an_evasion_counts_though_it_has_no_word_of_the_subject() -> None:
    """Whoever speaks for a side and says nothing declines."""
    found = claims_in(
        "North Korea sent soldiers to Russia, Seoul said. Peskov said: “Good morning. Nothing to say.”"
    )
    assert [claim.status for claim in found] == ["ALLEGED", "DECLINED_COMMENT"]


def test_a_headline_alone_is_read() -> None:
    """A feed may have no more."""
    verdict = classify(Item("x", "North Korea sent artillery shells to Russia"), load_model())
    assert [span.field for claim in verdict.claims for span in claim.evidence] == ["title"]


def test_a_fact_check_is_a_claim_of_its_own() -> None:
    """A debunk stands though it made no flag by itself."""
    found = claims_in(
        "North Korea sent soldiers to Russia, Seoul said. A fact check found that the fake video of North Korean soldiers"
        " in Russia was old footage."
    )
    assert [claim.status for claim in found] == ["ALLEGED", "DEBUNKED"]


def test_where_no_frame_fits_a_claim_says_less() -> None:
    """Every statement that made the flag is a claim, with a span."""
    found = claims_in("Military ties: Russia, North Korea")
    assert found
    assert all(claim.evidence for claim in found)


def test_place_and_ship_are_kept_as_written() -> None:
    """Nothing is guessed from outside the text."""
    (claim,) = claims_in(
        "The Russian ship Lady R carried weapons from Rajin in North Korea to Russia, Seoul said."
    )
    assert claim.vessel is not None
    assert claim.vessel.names == ("Lady R",)
    assert claim.place is not None
    assert claim.place.surface == "Rajin"


def test_heaviness_is_worked_from_speaker_thing_number_and_age() -> None:
    """DOMAIN.md section 4, all but novelty."""
    new = only("The White House said North Korea had sent more than 1,000 containers of munitions to Russia.")
    assert new.severity_parts is not None
    parts = new.severity_parts
    assert (parts.authority, parts.substance, parts.scale, parts.penalty) == (14, 12, 10, 0)
    old = only("Telegram channels said last year North Korea sent soldiers to Russia.")
    assert old.severity_parts is not None
    assert (old.severity_parts.authority, old.severity_parts.scale, old.severity_parts.penalty) == (2, 0, -20)
    assert old.confidence is not None
    assert new.confidence is not None
    ties = only("Russia and North Korea will deepen military ties, Lavrov said.")
    assert ties.severity_parts is not None
    assert ties.severity_parts.substance == 2


def test_explain_lists_the_claims_with_their_words() -> None:
    """A person sees who claims what, how many, which answer belongs to which claim, and the words, cut where long."""
    text = "Seoul said North Korea had sent 4,000 artillery shells to Russia. Peskov declined to comment."
    told = explain_item(Item("x", "", text=text), load_model())
    assert "C1 MATERIEL_TRANSFER  DPRK>RUS  ALLEGED  South Korea" in told
    assert "AMMUNITION (artillery shells)  4,000 artillery shells" in told
    assert "C2 NO_COMMENT  DPRK>RUS  DECLINED_COMMENT  Russia / Kremlin (Dmitry Peskov)  answers C1" in told
    ties = explain_item(
        Item("x", "Russia and North Korea will deepen military ties " + "and so on " * 60), load_model()
    )
    quoted = [line.strip() for line in ties.splitlines() if line.strip().startswith("“")]
    assert len(quoted[-1]) == QUOTE_LENGTH_MAX + len("“…”")
    assert "claims" not in explain_item(Item("x", "North Korea"), load_model())


def test_conditions_and_negations_show_in_polarity() -> None:
    """If is not when, and not is not."""
    assert (
        only("If North Korea sends artillery shells to Russia, Seoul will respond.").polarity == "CONDITIONAL"
    )
    assert only("Seoul said North Korea had not sent artillery shells to Russia.").polarity == "NEGATED"
    assert only("Peskov denied that North Korea had sent artillery shells to Russia.").polarity == "NEGATED"
