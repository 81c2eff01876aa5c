"""``make eval``: the tables of detection and claims, by the scorers beside the project where they are, from `tumen classify`."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.data import CORPUS, DEV, HARD, POSITIVE, ROOT, SHARED, rows
from training.judge import HEAD, quality, splits

STREAM = SHARED / "data" / "stream_2023-08_2023-09.jsonl.gz"
SEED_GOLD = SHARED / "domain" / "seed_gold.json"
CLAIMS = ROOT / "tests" / "corpus" / "claims"
SCORERS = SHARED / "score"
SHOWN = 30


def evaluate() -> int:
    """Print every table; 1 when a scorer could not read what we wrote."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        failed = [
            *_detection("labelled news", DEV, work),
            *(
                found
                for path in sorted(CORPUS.glob("*.jsonl"))
                for found in _detection(path.stem, path, work)
            ),
            *_claims(work),
        ]
        _splits()
        _hard(work)
        _stream(work)
    return int(bool(failed))


def classified(source: Path, target: Path) -> float:
    """Run `tumen classify`; return the seconds of the wall that it took. CalledProcessError: it failed."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "services", "classify", str(source), str(target)], check=True, cwd=ROOT
    )
    return time.perf_counter() - begun


def _detection(name: str, gold: Path, work: Path) -> list[str]:
    said = work / "said.jsonl"
    classified(gold, said)
    return _scored(name, "score_detection.py", [str(gold), str(said), "--show", "0"])


def _claims(work: Path) -> list[str]:
    failed: list[str] = []
    for path in sorted(CLAIMS.glob("*.jsonl")):
        said = work / "said.jsonl"
        classified(path, said)
        failed += _scored(f"claims {path.stem}", "score_claims.py", [str(path), str(said), "--show", "0"])
    if SEED_GOLD.exists():
        article = next(SEED_GOLD.parent.glob("000_*.txt"))
        text = article.read_text("utf-8")
        gold = json.loads(SEED_GOLD.read_text("utf-8"))
        given = work / "seed.jsonl"
        given.write_text(
            json.dumps({"id": gold["doc"]["id"], "title": text.splitlines()[0], "text": text}) + "\n", "utf-8"
        )
        said = work / "said.jsonl"
        classified(given, said)
        arguments = [str(SEED_GOLD), str(said), "--text", str(article), "--show", "0"]
        failed += _scored("claims of the seed article", "score_claims.py", arguments)
    return failed


def _scored(name: str, scorer: str, arguments: Sequence[str]) -> list[str]:
    """Print what a scorer says; its thresholds are not ours, so 1 is no failure."""
    print(f"\n## {name}\n", flush=True)
    done = subprocess.run([sys.executable, str(SCORERS / scorer), *arguments], check=False)
    return [name] if done.returncode not in {0, 1} else []


def _splits() -> None:
    print("\n## weights judged on what they were not learnt from\n")
    print(*HEAD, sep=" | ")
    for name, judged in splits(rows()).items():
        print(*quality(name, judged).cells(), sep=" | ")
        print(
            *quality(
                f"{name}, without borderline", [one for one in judged if not one.row.borderline]
            ).cells(),
            sep=" | ",
        )


def _hard(work: Path) -> None:
    """Print which hard negatives are flagged and which look-alikes are not."""
    table = json.loads(HARD.read_text("utf-8"))
    given = work / "hard.jsonl"
    items = [*table["negatives"], *table["look_negative_but_positive"]]
    given.write_text(
        "".join(json.dumps({"id": row["id"], "title": row["headline"]}) + "\n" for row in items), "utf-8"
    )
    flagged = {row["id"] for row in _verdicts(given, work) if row["flagged"]}
    wrong = [row["id"] for row in table["negatives"] if row["id"] in flagged]
    missed = [row["id"] for row in table["look_negative_but_positive"] if row["id"] not in flagged]
    print(
        f"\n## hard negatives\n\nflagged: {', '.join(wrong) or 'none'}; look-alikes missed: {', '.join(missed) or 'none'}"
    )


def _stream(work: Path) -> None:
    """Print how many of the stream are flagged, how many of those no label knows as in scope, and how fast it went."""
    if not STREAM.exists():
        return
    said = work / "said.jsonl"
    took = classified(STREAM, said)
    labels = {row["url"]: row["label"] for row in _lines(DEV.open("rb")) if row.get("url")}
    items = flagged = known = found = 0
    strange: list[str] = []
    with gzip.open(STREAM, "rb") as given, said.open("rb") as verdicts:
        for raw, line in zip(given, verdicts, strict=True):
            items += 1
            item, is_flagged = json.loads(raw), b'"flagged":true' in line
            positive = labels.get(item.get("url")) == POSITIVE
            known, found, flagged = known + positive, found + (positive and is_flagged), flagged + is_flagged
            if is_flagged and not positive:
                strange.append(f"{labels.get(item.get('url'), 'in no label file')}: {item['title'][:100]}")
    print(
        f"\n## stream\n\n{items:,} items in {took:.1f} s ({items / took:,.0f}/s, starting included); {flagged} flagged"
    )
    print(
        f"known in scope: {found} of {known} found; flagged and not known as such: {len(strange)}, to be read:"
    )
    print(*(f"- {line}" for line in strange[:SHOWN]), sep="\n")


def _verdicts(given: Path, work: Path) -> list[Mapping[str, Any]]:
    said = work / "said.jsonl"
    classified(given, said)
    with said.open("rb") as lines:
        return list(_lines(lines))


def _lines(lines: Iterable[bytes]) -> Iterable[Mapping[str, Any]]:
    for line in lines:
        if line.strip():
            yield json.loads(line)
