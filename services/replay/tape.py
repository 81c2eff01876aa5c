"""Tapes: what servers answered, and when, as a standard WARC file.

A tape holds one ``response`` record for each moment at which a URL's unconditional answer changed, one ``metadata``
record for each moment from which it did not answer at all, and ``resource`` records for the lists that go with it.
Between two records of a URL the world stood still, so a player can answer a request at any time, and work out 304s
from the recorded validators. (ISO 28500, WARC/1.1.)

The records depend on nothing but their content: no host name, no clock, ids by hash.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import IO, TYPE_CHECKING, TypeAlias

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from services.text.ids import stable_id

if TYPE_CHECKING:
    from warcio.recordloader import ArcWarcRecord

    from services.poller.model import FailureKind

WARC_VERSION = "WARC/1.1"
BODY_BYTES_MAX = 64 * 1024 * 1024
FAULT_TYPE = "application/vnd.tumen.fault+json"


class TapeError(Exception):
    """A tape cannot be read; the message is one line with file and reason."""


@dataclass(frozen=True, slots=True)
class Answered:
    """From ``at`` on, the URL answers this to a request without validators."""

    url: str
    at: datetime
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """From ``at`` on, the URL does not answer."""

    url: str
    at: datetime
    kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A list that goes with the tape: ``feeds.opml``, ``subscribers.toml``."""

    name: str
    at: datetime
    content_type: str
    data: bytes


Entry: TypeAlias = Answered | Failed | Attached


def write_tape(  # noqa: PLR0913 - what a tape is made of
    out: IO[bytes],
    entries: Iterable[Entry],
    *,
    title: str,
    start: datetime,
    end: datetime,
    compressed: bool = True,
) -> int:
    """Write a tape, each record gzipped by itself or none, and return the number of entries."""
    writer = WARCWriter(out, gzip=compressed, warc_version=WARC_VERSION)
    info = {"software": "tumen", "format": WARC_VERSION, "description": title}
    info |= {"tumen-start": _date(start), "tumen-end": _date(end)}
    text = "".join(f"{key}: {value}\r\n" for key, value in info.items()).encode()
    _write(writer, _record(writer, "urn:tumen:tape", "warcinfo", start, text, "application/warc-fields"))
    count = 0
    for entry in entries:
        _write(writer, _entry_record(writer, entry))
        count += 1
    return count


def _write(writer: WARCWriter, record: ArcWarcRecord) -> None:
    writer.write_record(record)
    record.raw_stream.close()  # warcio leaves the temporary file that it made for the digests


def _entry_record(writer: WARCWriter, entry: Entry) -> ArcWarcRecord:
    match entry:
        case Answered():
            http = StatusAndHeaders(_status_line(entry.status), list(entry.headers), protocol="HTTP/1.1")
            return _record(writer, entry.url, "response", entry.at, entry.body, None, http)
        case Failed():
            text = json.dumps({"kind": entry.kind, "detail": entry.detail}).encode()
            return _record(writer, entry.url, "metadata", entry.at, text, FAULT_TYPE)
        case Attached():
            return _record(
                writer, f"urn:tumen:{entry.name}", "resource", entry.at, entry.data, entry.content_type
            )


def _record(  # noqa: PLR0913, PLR0917 - the parts of a WARC record
    writer: WARCWriter,
    url: str,
    kind: str,
    at: datetime,
    payload: bytes,
    content_type: str | None,
    http: StatusAndHeaders | None = None,
) -> ArcWarcRecord:
    date = _date(at)
    digest = hashlib.sha256(payload).hexdigest()
    identity = stable_id(url, kind, date, digest, f"{http.statusline} {http.headers}" if http else "")
    headers = {"WARC-Record-ID": f"<urn:uuid:{uuid.UUID(identity)}>", "WARC-Date": date}
    return writer.create_warc_record(
        url,
        kind,
        payload=BytesIO(payload),
        length=len(payload) if http is None else None,
        warc_content_type=content_type or "",
        warc_headers_dict=headers,
        http_headers=http,
    )


def _status_line(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
    return f"{status} {phrase}".rstrip()


def _date(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape in memory: the entries in file order, and the span it covers."""

    title: str
    start: datetime
    end: datetime
    entries: tuple[Entry, ...]

    def attached(self, name: str) -> bytes:
        """Return an attached list; TapeError when the tape has none of that name."""
        for entry in self.entries:
            if isinstance(entry, Attached) and entry.name == name:
                return entry.data
        message = f"the tape has no {name}"
        raise TapeError(message)


def read_tape(source: IO[bytes], name: str) -> Tape:
    """Read a tape; TapeError names the file and what is wrong."""
    info: dict[str, str] = {}
    entries: list[Entry] = []
    try:
        for record in ArchiveIterator(source, check_digests=False):
            if record.rec_type == "warcinfo":
                info = _fields(record.content_stream().read(BODY_BYTES_MAX))
            elif (entry := _entry(record)) is not None:
                entries.append(entry)
        start, end = (datetime.fromisoformat(info[key]) for key in ("tumen-start", "tumen-end"))
    except (ArchiveLoadFailed, KeyError, ValueError, TypeError, OSError, EOFError, zlib.error) as error:
        message = f"{name}: not a tumen tape: {error or type(error).__name__}"
        raise TapeError(message) from error
    return Tape(info.get("description", name), start, end, tuple(entries))


def _entry(record: ArcWarcRecord) -> Entry | None:
    url = record.rec_headers.get_header("WARC-Target-URI")
    at = datetime.fromisoformat(record.rec_headers.get_header("WARC-Date"))
    if record.rec_type == "response":
        body = record.content_stream().read(BODY_BYTES_MAX)
        headers = tuple((str(key), str(value)) for key, value in record.http_headers.headers)
        return Answered(url, at, int(record.http_headers.get_statuscode()), headers, body)
    if record.rec_type == "metadata" and record.content_type == FAULT_TYPE:
        fault = json.loads(record.content_stream().read(BODY_BYTES_MAX))
        return Failed(url, at, fault["kind"], fault["detail"])
    if record.rec_type == "resource":
        data = record.content_stream().read(BODY_BYTES_MAX)
        return Attached(url.removeprefix("urn:tumen:"), at, str(record.content_type), data)
    return None


def _fields(text: bytes) -> dict[str, str]:
    lines: Iterator[tuple[str, str, str]] = (line.partition(": ") for line in text.decode().splitlines())
    return {key: value for key, sep, value in lines if sep}
