"""Alerts as a day brings them, in five writing systems (outlets invented), and a tail that gives them to a desk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from schemas import Alert, AlertChange, AlertEvidence, AlertSource, Counts
from services.bus.codec import encode
from services.bus.ports import Record
from services.bus.topics import ALERTS
from services.text.ids import stable_id
from tests.builders import an_alert


class FakeTail:
    """A tail whose records a test puts in by hand."""

    def __init__(self, *alerts: Alert) -> None:
        """Begin with these alerts."""
        self._records: list[Record] = []
        self._read = 0
        self._news = asyncio.Event()
        self.closed = False
        for alert in alerts:
            self.put(alert)

    def put(self, alert: Alert) -> None:
        """Append an alert."""
        message = encode(
            ALERTS, alert, partition=0, key=alert.storyline_id, source="correlator", at=alert.created_at
        )
        self.put_bytes(message.value)

    def put_bytes(self, value: bytes | None) -> None:
        """Append whatever bytes."""
        self._records.append(Record(ALERTS.name, 0, len(self._records), "key", value, (), 0))
        self._news.set()

    async def poll(self, records_max: int = 500) -> Sequence[Record]:
        """Return what was not read yet."""
        fresh = self._records[self._read : self._read + records_max]
        self._read += len(fresh)
        self._news.clear()
        return fresh

    async def wait(self, timeout_s: float) -> None:
        """Wait for something to be put in."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def quoted(
    story: str, text: str, whole: str | None = None, field: str = "summary", at: int = 40, **kinds: str
) -> tuple[AlertEvidence, ...]:
    """Return a statement and its terms (``materiel__ammunition="shells"``); ``whole`` is the span that was cut."""
    span = whole or text
    base: dict[str, Any] = {"story_id": stable_id(story), "field": field}
    places: list[dict[str, Any]] = [
        {
            "start": at,
            "end": at + len(span),
            "text": text,
            "kind": "statement",
            "cut": True if whole else None,
        }
    ]
    for kind, term in kinds.items():
        start = at + span.index(term)
        named = kind.replace("__", ".")
        places.append({"start": start, "end": start + len(term), "text": term, "kind": named, "term": term})
    return tuple(AlertEvidence(**base, **place) for place in places)


def printed(story: str, name: str, language: str, title: str, **fields: Any) -> AlertSource:
    """Return a source of an alert."""
    domain = fields.pop("domain", f"{name.lower().replace(' ', '').replace('ō', 'o')}.example")
    defaults: dict[str, Any] = {
        "kind": "newspaper",
        "role": "origin",
        "first_seen": "2026-05-12T02:58:00.000Z",
        "published": "2026-05-12T02:55:00.000Z",
        "url": f"https://{domain}/2026/05/12/{story}",
    }
    return AlertSource(
        **{
            **defaults,
            "story_id": stable_id(story),
            "name": name,
            "domain": domain,
            "language": language,
            "title": title,
            **fields,
        }
    )


def told(
    name: str, source: AlertSource, evidence: tuple[AlertEvidence, ...], at: str, **fields: Any
) -> Alert:
    """Return an alert led by a source."""
    return an_alert(
        name,
        **{
            "title": f"{source.name}: {source.title}",
            "headline_url": source.url,
            "languages": (source.language,),
            "sources": (source, *fields.pop("others", ())),
            "evidence": evidence,
            "created_at": f"2026-05-12T{at}:00.000Z",
            "detected_at": f"2026-05-12T{at}:07.000Z",
            "body": f"Published by {source.name}, first seen 12 May 2026 {at} UTC. Carried by 1 outlet in 1 language.",
            **fields,
        },
    )


def korean() -> Alert:
    """Return the opening of the day's main event."""
    whole = "국가정보원은 12일 북한이 지난달 나진항에서 러시아로 포탄을 실은 것으로 추정되는 컨테이너 약 1천 개를 보냈다고 국회에 보고했다."
    evidence = quoted(
        "ko1",
        "북한이 지난달 나진항에서 러시아로 포탄을 실은 것으로 추정되는 컨테이너 약 1천 개를 보냈다고",
        whole,
        dprk="북한",
        place="나진항",
        rus="러시아",
        materiel__ammunition="포탄",
        transfer="보냈다",
        institution="국가정보원",
    )
    source = printed(
        "ko1",
        "한빛뉴스",
        "ko",
        "국정원 “북, 나진서 러시아로 포탄 컨테이너 1천 개 반출”",
        domain="hanbit.example",
    )
    return told(
        "ko1",
        source,
        evidence,
        "02:58",
        severity=5,
        reason="First report of this event",
        counts=Counts(bases=1, origins=1, outlets=1, languages=1),
    )


def english() -> Alert:
    """Return the second basis of the same event, with reprints."""
    source = printed(
        "en1",
        "Potomac Ledger",
        "en",
        "White House releases imagery it says shows North Korean munitions bound for Russia",
    )
    others = tuple(
        printed(f"copy{n}", outlet, language, title, role=role, label=label)
        for n, (outlet, language, title, role, label) in enumerate(
            [
                ("한빛뉴스", "ko", "국정원 “북, 나진서 러시아로 포탄 컨테이너 1천 개 반출”", "origin", None),
                (
                    "Nordlicht",
                    "de",
                    "Südkoreas Geheimdienst: Tausend Container aus Nordkorea nach Russland",
                    "independent",
                    None,
                ),
                ("Vestnik Press", "ru", "Сеул заявил о поставках снарядов из КНДР", "copy", "state media RU"),
            ]
        )
    )
    evidence = quoted(
        "en1",
        source.title,
        field="title",
        at=0,
        dprk="North Korean",
        rus="Russia",
        materiel__ammunition="munitions",
    ) + quoted(
        "en1",
        "The images show about 1,000 containers of North Korean artillery shells loaded at Rajin aboard a Russian-flagged ship, officials said.",
        dprk="North Korean",
        rus="Russian",
        materiel__ammunition="artillery shells",
        place="Rajin",
        transfer="loaded",
        allege="officials said",
        pair="North Korean artillery shells",
    )
    return told(
        "en1", source, evidence, "05:15", kind="corroborated", severity=5, others=others,
        reason="A second basis of its own: imagery shown by the White House", languages=("ko", "en", "ru", "de", "ja", "fr"),
        counts=Counts(bases=2, origins=2, independent=1, copies=12, outlets=14, languages=6),
    )  # fmt: skip


def russian() -> Alert:
    """Return the denial."""
    source = printed(
        "ru1",
        "Вестник Пресс",
        "ru",
        "В Кремле назвали сообщения о поставках снарядов из КНДР беспочвенными",
        label="state media RU",
        domain="vestnik.example",
    )
    evidence = quoted(
        "ru1",
        "Сообщения о том, что КНДР поставляет России артиллерийские снаряды, беспочвенны, заявил представитель Кремля.",
        dprk="КНДР",
        transfer="поставляет",
        rus="России",
        materiel__ammunition="артиллерийские снаряды",
        deny="беспочвенны",
        leader_rus="представитель Кремля",
    )
    return told(
        "ru1", source, evidence, "09:40", kind="denied", severity=4, reason="The Kremlin denies what two bases claim",
        counts=Counts(bases=2, origins=2, independent=1, copies=14, outlets=16, languages=6), languages=("ko", "en", "ru"),
    )  # fmt: skip


def french() -> Alert:
    """Return a correction of a number."""
    source = printed(
        "fr1",
        "Azure Coast Post",
        "fr",
        "Correction : Pyongyang aurait expédié 1 000 conteneurs vers la Russie, et non 10 000",
        domain="azurecoast.example",
    )
    evidence = quoted(
        "fr1",
        "La Corée du Nord aurait expédié 1 000 conteneurs de munitions vers la Russie, et non 10 000.",
        dprk="Corée du Nord",
        rus="Russie",
        materiel__ammunition="munitions",
        transfer="expédié",
    )
    return told(
        "fr1", source, evidence, "12:20", kind="revised", severity=3, reason="An outlet corrected a figure",
        changes=(AlertChange(what="Quantity", before="10 000 conteneurs", after="1 000 conteneurs"),),
    )  # fmt: skip


def japanese() -> Alert:
    """Return a watched ship, late."""
    source = printed(
        "ja1",
        "波止場日報",
        "ja",
        "制裁対象の貨物船、北朝鮮の羅津港に再び寄港　積み荷は不明",
        domain="hafen.example",
    )
    evidence = quoted(
        "ja1",
        "制裁対象のロシア船が羅津港に寄港し、北朝鮮の弾薬を積んだ可能性があるが、積み荷は確認されていない。",
        rus="ロシア船",
        place="羅津港",
        dprk="北朝鮮",
        materiel__ammunition="弾薬",
        logistics="寄港",
    )
    return told(
        "ja1", source, evidence, "13:00", severity=2, arrival="late", reason="First report of this event"
    )


def arabic() -> Alert:
    """Return troops, right to left."""
    source = printed(
        "ar1",
        "صدى الشرق",
        "ar",
        "مسؤولون: قوات من كوريا الشمالية تصل إلى روسيا برفقة ذخائر وصواريخ",
        domain="sada.example",
    )
    evidence = quoted(
        "ar1",
        "قال مسؤولون إن نحو 3000 جندي من كوريا الشمالية وصلوا إلى شرق روسيا ومعهم ذخائر وصواريخ من طراز KN-23.",
        dprk="كوريا الشمالية",
        rus="روسيا",
        personnel="جندي",
        materiel__ammunition="ذخائر",
        materiel__missile="صواريخ من طراز KN-23",
    )
    return told("ar1", source, evidence, "16:00", severity=4, reason="First report of this event")


def retracted() -> Alert:
    """Return a story that was taken back."""
    source = printed(
        "en9", "Baltic Wire", "en", "Video said to show North Korean troops in Kursk is from 2019"
    )
    evidence = quoted(
        "en9",
        "The video does not show North Korean troops fighting for Russia; it was filmed in 2019.",
        dprk="North Korean",
        personnel="troops",
        rus="Russia",
        deny="does not show",
    )
    return told(
        "en9",
        source,
        evidence,
        "18:00",
        kind="retracted",
        severity=1,
        reason="The outlet took its report back",
    )


def day() -> tuple[Alert, ...]:
    """Return the day's alerts in their order."""
    return (korean(), english(), russian(), french(), japanese(), arabic(), retracted())
