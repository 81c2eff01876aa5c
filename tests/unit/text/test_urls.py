"""URLs: canonical forms, registered domains, partitions as Kafka's."""

from __future__ import annotations

import pytest

from services.text.urls import absolute, canonical_url, host_of, partition_for, registered_domain


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://News.Example/a", "https://news.example/a"),
        ("https://news.example:443/a/", "https://news.example/a"),
        ("http://news.example:80", "https://news.example"),
        ("https://news.example:8443/a", "https://news.example:8443/a"),
        ("https://news.example/a#top", "https://news.example/a"),
        ("https://news.example/a/../b/./c", "https://news.example/b/c"),
        ("https://news.example/a?utm_source=rss&id=7&fbclid=x", "https://news.example/a?id=7"),
        ("https://news.example/a?b=2&a=1", "https://news.example/a?b=2&a=1"),
        ("  https://news.example/a \n", "https://news.example/a"),
        ("https://user:pw@news.example/a", "https://news.example/a"),
        ("http://[2001:DB8::1]:80/x", "https://[2001:db8::1]/x"),
    ],
)
def test_variants_of_one_page_have_one_canonical_form(url: str, canonical: str) -> None:
    """Scheme, case, default port, fragment, tracking, dots and the last slash do not tell pages apart."""
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    "junk", ["", "   ", "not a url", "http://[bad", "mailto:a@b.example", "//x", "http://"]
)
def test_junk_stands_for_itself(junk: str) -> None:
    """What is no web address comes back stripped, never as an exception."""
    assert canonical_url(junk) == junk.strip()


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://rss.news.outlet.example/feed", "outlet.example"),
        ("https://www.outlet.co.uk/feed", "outlet.co.uk"),
        ("outlet.example", "outlet.example"),
        ("http://127.0.0.1:8000/feed", "127.0.0.1"),
        ("http://[::1]:8000/feed", "::1"),
        ("http://localhost/feed", "localhost"),
        ("https://co.uk/", "co.uk"),
        ("https://OUTLET.example./x", "outlet.example"),
        ("https://www.новости.рф/x", "новости.рф"),
        ("https://\ud800.example/x", "\ud800.example"),
        (" http://[broken ", "http://[broken"),
        ("", ""),
    ],
)
def test_the_registered_domain_is_the_outlets_own(url: str, domain: str) -> None:
    """Sub-domains fold into their owner; addresses and single labels stand for themselves."""
    assert registered_domain(url) == domain


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_partitions_are_those_of_kafkas_default_partitioner(key: str, hashed: int) -> None:
    """The values are those of Kafka's own test of murmur2."""
    assert partition_for(key, 2**31 - 1) == (hashed & 0x7FFFFFFF) % (2**31 - 1)
    assert partition_for(key, 8) == (hashed & 0x7FFFFFFF) % 8


@pytest.mark.parametrize(
    ("link", "joined"),
    [
        ("/a?b=1", "https://news.example/a?b=1"),
        ("c.html", "https://news.example/feeds/c.html"),
        ("https://other.example/x#y", "https://other.example/x#y"),
        (" https://other.example/\nx ", "https://other.example/x"),
        ("javascript:alert(1)", None),
        ("mailto:a@b.example", None),
        ("file:///etc/passwd", None),
        ("http://[bad", None),
    ],
)
def test_links_become_absolute_web_addresses_or_none(link: str, joined: str | None) -> None:
    """A link of a document is http(s) with a host, or it is no link."""
    assert absolute("https://news.example/feeds/rss.xml", link) == joined


def test_a_host_is_lower_case_and_without_its_last_dot() -> None:
    """Politeness is kept per host however its name is written."""
    assert host_of("http://News.Example.:8080/x") == "news.example"
