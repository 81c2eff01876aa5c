"""The gate against the standard library's view of addresses."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from services.net.gate import Gate, is_public, literal


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_that_the_library_calls_private_is_never_public(
    address: ipaddress.IPv4Address,
) -> None:
    """Ours is the stricter table; what it adds is multicast and the like."""
    closed = address.is_private or address.is_multicast or address.is_reserved or address.is_loopback
    assert not (is_public(address) and (closed or not address.is_global))


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_that_the_library_calls_private_is_never_public(
    address: ipaddress.IPv6Address,
) -> None:
    """The library's view of the embedded IPv4 counts as well."""
    inner = address.ipv4_mapped
    if inner is not None:
        assert is_public(address) == is_public(inner)
    elif is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert address.sixtofour is None
        assert address.teredo is None


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_every_spelling_of_an_address_is_judged_alike(number: int) -> None:
    """Dotted, decimal, hexadecimal, octal, mapped."""
    address = ipaddress.IPv4Address(number)
    octets = str(address).split(".")
    spellings = [
        str(address),
        str(number),
        hex(number),
        ".".join(f"0{int(octet):o}" for octet in octets),
        ".".join(hex(int(octet)) for octet in octets),
        f"{octets[0]}.{number & 0xFFFFFF}",
    ]
    assert {literal(spelling) for spelling in spellings} == {address}
    verdicts = {Gate().check(f"http://{spelling}/") is None for spelling in spellings}
    assert verdicts == {is_public(address)}


@given(st.text(max_size=60))
def test_the_gate_never_raises(text: str) -> None:
    """Any text gets a verdict, and an open gate refuses nothing that the shut one lets through."""
    for url in (text, f"http://{text}/"):
        if Gate().check(url) is None:
            assert Gate(allow_private=True).check(url) is None
    found = literal(text)
    assert found is None or literal(str(found)) == found
