"""URLs: which of them are one page, whose they are, and which partition owns them.

Pure and total: junk in gives the same junk back, never an exception.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from functools import cache, lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from publicsuffixlist import PublicSuffixList

URL_MAX = 4_096
"""Code points; servers refuse longer addresses, and nobody publishes one."""
DOMAINS_CACHED = 10_000
"""A few thousand feeds and the outlets they link to."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_", "piwik_", "hsa_", "at_")
_TRACKING = frozenset(
    (
        *("fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ysclid", "twclid", "igshid"),
        *("mc_cid", "mc_eid", "ocid", "cmpid", "smid", "spm", "_openstat", "ito", "xtor", "ns_campaign"),
        *("ns_mchannel", "ns_source", "ref_src", "taid", "wt_mc", "rss_source"),
    )
)
_CONTROLS = re.compile(r"[\x00-\x20\x7f]")
_MURMUR = 0x5BD1E995
_MURMUR_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


@cache
def _suffixes() -> PublicSuffixList:
    """Return the public suffix list, read once when first asked for: it takes 70 ms."""
    return PublicSuffixList()


def host_of(url: str) -> str:
    """Return the lower-case host of a URL or of a bare host; "" when there is none."""
    parts = _split(url)
    if parts is not None and not parts.netloc and "://" not in url:
        parts = _split(f"//{url.strip()}")
    if parts is None:
        return ""
    return (parts.hostname or "").rstrip(".")


@lru_cache(maxsize=DOMAINS_CACHED)
def registered_domain(url: str) -> str:
    """Return the registered domain of a URL or host (``news.outlet.co.uk`` -> ``outlet.co.uk``).

    An IP address, a single label and a public suffix stand for themselves; junk stands for itself, stripped.
    """
    host = host_of(url)
    if not host:
        return url.strip()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found: str | None = _suffixes().privatesuffix(host)
        return found or host
    return host


def partition_for(domain: str, partitions: int) -> int:
    """Return the partition of a registered domain, as a Kafka client's default partitioner would for that key."""
    return (_murmur2(domain.encode("utf-8", "surrogatepass")) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """Return Kafka's murmur2 (unsigned)."""
    whole = len(data) & ~3
    hashed = (_MURMUR_SEED ^ len(data)) & _MASK
    for start in range(0, whole, 4):
        word = (int.from_bytes(data[start : start + 4], "little") * _MURMUR) & _MASK
        word = ((word ^ (word >> 24)) * _MURMUR) & _MASK
        hashed = ((hashed * _MURMUR) & _MASK) ^ word
    if tail := data[whole:]:
        hashed = ((hashed ^ int.from_bytes(tail, "little")) * _MURMUR) & _MASK
    hashed = ((hashed ^ (hashed >> 13)) * _MURMUR) & _MASK
    return hashed ^ (hashed >> 15)


def canonical_url(url: str) -> str:
    """Return the form in which two addresses of one page are equal: for comparing, never for fetching.

    https for http, lower-case host, no default port, fragment, tracking parameters, dot segments or last slash.
    The order of the other parameters is kept: it means something to some servers.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return url.strip()
    query = "&".join(pair for pair in parts.query.split("&") if pair and not _tracks(pair))
    return urlunsplit(("https", _canonical_netloc(parts), _canonical_path(parts.path), query, ""))


def _canonical_netloc(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or parts.port in _DEFAULT_PORTS.values():
        return host
    return f"{host}:{parts.port}"


def _canonical_path(path: str) -> str:
    if "/." in path:
        path = posixpath.normpath(path)
    return "/" + path.strip("/") if path.strip("/") else ""


def _tracks(pair: str) -> bool:
    name = pair.partition("=")[0].lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def absolute(base: str, link: str) -> str | None:
    """Return a link of a document as an absolute http(s) address, or None if it is not one."""
    try:
        joined = urljoin(base.strip(), _CONTROLS.sub("", link))
    except ValueError:
        return None
    parts = _split(joined)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or len(joined) > URL_MAX:
        return None
    return joined


def _split(url: str) -> SplitResult | None:
    """Split a URL; None if it cannot be one (bad brackets, a port that is no number)."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts
