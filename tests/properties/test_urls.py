"""URLs: whatever is thrown at them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.text.urls import absolute, canonical_url, host_of, partition_for, registered_domain

PIECES = st.sampled_from(
    [
        "http",
        "https",
        ":",
        "//",
        "/",
        "..",
        ".",
        "a.example",
        "[::1]",
        "[",
        "]",
        "@",
        "?",
        "&",
        "#",
        "%",
        "=",
        "utm_x",
    ]
)
URLISH = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


@given(URLISH)
def test_canonical_form_is_total_and_final(url: str) -> None:
    """It never raises, and the canonical form of a canonical form is itself."""
    once = canonical_url(url)
    assert canonical_url(once) == once


@given(URLISH, URLISH)
def test_nothing_raises(base: str, link: str) -> None:
    """Junk in, an answer out."""
    joined = absolute(base, link)
    assert joined is None or joined.lower().startswith(("http://", "https://"))
    host_of(link)
    registered_domain(link)


@given(st.text(), st.integers(min_value=1, max_value=64))
def test_partitions_are_within_their_number(domain: str, partitions: int) -> None:
    """Every domain has a partition, whatever it is made of."""
    assert 0 <= partition_for(domain, partitions) < partitions
