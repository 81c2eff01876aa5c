"""A list's good entries survive the bad ones beside them, and each fault names its line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas import Subscriber
from services.alerter.subscriberlist import CHANNELS, read_subscribers, subscriber_messages
from services.bootstrap import open_bus
from services.bootstrap.parts import Parts
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from tests.builders import T0, a_subscriber

GOOD = """# who is told
[[subscribers]]
id = "console"
channel = "console:"

[[subscribers]]
id = "desk"
channel = "https://hooks.example/{secret}"
match = { severity_min = 2, tiers = ["T1"] }
secret_ref = "env:DESK_SECRET"
"""


def test_a_good_list_is_read() -> None:
    """Severity 3 and more is the default."""
    found = read_subscribers(GOOD.encode(), "subs.toml")
    assert found.problems == ()
    console, desk = found.subscribers
    assert (console.id, console.match.severity_min, console.enabled) == ("console", 3, True)
    assert (desk.match.severity_min, desk.match.tiers) == (2, ("T1",))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('id = "x"', "11: channel: Field required"),
        (
            'id = "x y"\nchannel = "console:"',
            "12: id: String should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'",
        ),
        ('id = "x"\nchannel = 5', "13: channel: Input should be a valid string"),
        ('id = "x"\nchannel = "nowhere"', "13: channel: not a URL (write console: or https://…)"),
        (
            'id = "x"\nchannel = "https://me:hunter2@hooks.example/"',
            "13: channel: credentials in a URL are refused; write {secret} and secret_ref",
        ),
        (
            'id = "x"\nchannel = "https://hooks.example/?access_token=hunter2"',
            "13: channel: credentials in a URL are refused; write {secret} and secret_ref",
        ),
        ('id = "x"\nchannel = "https://h.example/{secret}"', "13: channel: {secret} needs a secret_ref"),
        (
            'id = "x"\nchannel = "console:"\nsecret_ref = "hunter2"',
            "14: secret_ref: write env:NAME or file:PATH, never the secret itself",
        ),
        (
            'id = "x"\nchannel = "console:"\n\nmatch = { severity_min = 9 }',
            "15: match.severity_min: Input should be less than or equal to 5",
        ),
        ('id = "x"\nchannel = = "console:"', "13: not TOML: Invalid value"),
        ('id = "x"\nchannel = ' + "[" * 100_000, "11: not TOML: nested too deep"),
        ('id = "console"\nchannel = "console:"', "11: id: 'console' is there already; this one is not used"),
    ],
)
def test_a_bad_entry_costs_itself_and_names_its_line(entry: str, problem: str) -> None:
    """File, line, what is wrong; the secret is not repeated, and the good ones still count."""
    found = read_subscribers(f"{GOOD}[[subscribers]]\n{entry}\n".encode(), "subs.toml")
    assert [str(one) for one in found.problems] == [f"subs.toml:{problem}"]
    assert [one.id for one in found.subscribers] == ["console", "desk"]
    assert "hunter2" not in str(found.problems)


SECRETS = "a secret never stands in a list; write secret_ref = env:NAME or file:PATH"


@pytest.mark.parametrize(
    ("entry", "refusal"),
    [
        (
            'channel = "gopher://hooks.example/x"',
            "channel: there is no channel gopher: (write console: or https://…)",
        ),
        (
            'channel = "mailto:me@example.org"',
            "channel: there is no channel mailto: (write console: or https://…)",
        ),
        ('channel = "https:hooks"', "channel: not a URL (write https://HOST/…)"),
        ('channel = "http://[hooks"', "channel: not a URL (write http://HOST/…)"),
        ('channel = "https://h.example/"\nsecret = "hunter2"', f"secret: {SECRETS}"),
        ('channel = "https://h.example/"\nApiKey = "hunter2"', f"ApiKey: {SECRETS}"),
        ('channel = "https://h.example/"\nmatch = { token = "hunter2" }', f"token: {SECRETS}"),
    ],
)
def test_a_list_with_a_secret_or_a_channel_that_is_not_there_is_refused(entry: str, refusal: str) -> None:
    """The line at fault, not the secret; the good entries are there for services that start with the list."""
    text = f'{GOOD}[[subscribers]]\nid = "x"\n{entry}\n'
    found = read_subscribers(text.encode(), "subs.toml")
    line = len(text.splitlines())
    assert [str(one) for one in found.refusals] == [f"subs.toml:{line}: {refusal}"]
    assert found.problems == found.refusals
    assert [one.id for one in found.subscribers] == ["console", "desk"]


def test_a_secret_above_all_entries_is_refused_too() -> None:
    """It stands in a file, whoever it is for."""
    found = read_subscribers(f'password = "hunter2"\n{GOOD}'.encode(), "s.toml")
    assert [str(one) for one in found.refusals] == [f"s.toml:1: password: {SECRETS}"]


async def test_every_channel_that_a_list_may_name_is_there() -> None:
    """And the other way round: no subscriber is parked for a channel that the list took."""
    outside: Any = SimpleNamespace(poster=None, resolve_secret=None, show=None)
    async with open_bus("sqlite::memory:") as bus:
        alerter = await Parts(bus, SystemClock(), Metrics(), PollerSettings()).make_alerter(outside)
        assert set(alerter._channels) == set(CHANNELS)
        await alerter.close()


def test_an_unknown_key_is_named_and_costs_nothing() -> None:
    """A typing error in a match must not cost somebody the alerts."""
    text = '[[subscribers]]\nid = "x"\nchannel = "console:"\ncolour = "red"\n[subscribers.match]\nseverty_min = 5\n'
    found = read_subscribers(f'title = "mine"\n{text}'.encode(), "s.toml")
    assert [str(one) for one in found.problems] == [
        "s.toml:1: unknown key 'title'",
        "s.toml:5: unknown key 'colour': ignored",
        "s.toml:7: unknown key 'severty_min': ignored",
    ]
    assert [one.id for one in found.subscribers] == ["x"]


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_list_says_so(text: str) -> None:
    """Nobody would be told, and nobody would know why."""
    assert [str(one) for one in read_subscribers(text.encode(), "s.toml").problems] == [
        "s.toml:1: no [[subscribers]] in this file"
    ]


def test_a_single_table_is_told_from_a_list() -> None:
    """``[subscribers]`` is the likeliest slip."""
    found = read_subscribers(b'[subscribers]\nid = "x"\n', "s.toml")
    assert [str(one) for one in found.problems] == [
        "s.toml:1: write [[subscribers]], one for each subscriber"
    ]


def test_messages_of_an_import() -> None:
    """Keyed by id; only ``replace`` ends those that are not listed."""
    people = [a_subscriber("a"), a_subscriber("b")]
    messages = subscriber_messages(people, at=T0, known={"b", "old", "older"})
    assert [message.key for message in messages] == ["a", "b"]
    assert Subscriber.model_validate_json(messages[0].value or b"") == people[0]
    replaced = subscriber_messages(people, at=T0, known={"b", "old", "older"}, replace=True)
    assert [(message.key, message.value is None) for message in replaced[2:]] == [
        ("old", True),
        ("older", True),
    ]


def test_what_is_kept_and_not_acted_on_yet_is_said() -> None:
    """A digest that never comes must not be a surprise."""
    text = '[[subscribers]]\nid = "me"\nchannel = "console:"\ndigest = "hourly"\n'

    found = read_subscribers(text.encode(), "subscribers.toml")

    assert [str(problem) for problem in found.problems] == [
        "subscribers.toml:4: digest: kept, not acted on yet"
    ]
    assert [one.id for one in found.subscribers] == ["me"]
