"""``tumen classify`` and ``tumen explain``: every case that the contract names."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas import Verdict
from services.classifier.classify import FIELD_LENGTH_MAX, Item, classify, load_model
from services.cli import classify as command
from services.cli import lines as lines_module
from services.cli.main import main

SHELLS = "North Korea shipped artillery shells to Russia, officials say"


def run(*arguments: str, given: bytes | None = None) -> Result:
    """Run tumen in this process."""
    return CliRunner().invoke(main, list(arguments), input=given)


def classified(lines: bytes, tmp_path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the lines of output for a file of these bytes, and the exit code."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines)
    result = run("classify", str(path), str(tmp_path / "out.jsonl"))
    out = (tmp_path / "out.jsonl").read_bytes()
    return [json.loads(line) for line in out.splitlines()], result.exit_code


def test_each_line_gets_its_verdict_in_order(tmp_path: Path) -> None:
    """String and integer ids come back as strings; without one the line's number is the id."""
    items = [
        {"id": "a", "title": SHELLS},
        {"id": 7, "title": "Rain"},
        {"title": "", "url": 3, "published": "?"},
    ]
    lines = b"".join(json.dumps(item).encode() + b"\n" for item in items)
    rows, code = classified(lines, tmp_path)
    assert code == 0
    assert [(row["id"], row["story_id"], row["flagged"]) for row in rows] == [
        ("a", "a", True),
        ("7", "7", False),
        ("line:3", "line:3", False),
    ]
    assert [Verdict.model_validate(row).story for row in rows] == [None] * 3
    assert [len(row["claims"]) for row in rows] == [1, 0, 0]


def test_an_integer_of_any_size_is_an_id(tmp_path: Path) -> None:
    """Ids are names, not numbers."""
    rows, _ = classified(b'{"id": 123456789012345678901234567890, "title": "x"}', tmp_path)
    assert rows[0]["id"] == "123456789012345678901234567890"


@pytest.mark.parametrize(
    ("line", "given", "error"),
    [
        (b"", None, "blank line"),
        (b"   ", None, "blank line"),
        (b"{", None, "not JSON"),
        (b"[1]", None, "not a JSON object"),
        (b'{"title": "\xff"}', None, "not UTF-8"),
        (b'{"id": "a"}', "a", "title must be a string"),
        (b'{"id": 5, "title": null}', 5, "title must be a string"),
        (b'{"id": "a", "title": "x", "summary": 1}', "a", "summary must be a string"),
        (b'{"id": "a", "title": "x", "text": []}', "a", "text must be a string"),
        (b'{"id": true, "title": "x"}', None, "id must be"),
        (b'{"id": 1.5, "title": "x"}', None, "id must be"),
        (b'{"title": NaN}', None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
    ],
)
def test_a_bad_line_is_named_in_its_place(line: bytes, given: object, error: str, tmp_path: Path) -> None:
    """What was good beside it is judged all the same; the exit code is 1."""
    rows, code = classified(b'{"title": "one"}\n' + line + b'\n{"title": "three"}\n', tmp_path)
    assert code == 1
    assert [row.get("id") for row in rows] == ["line:1", given, "line:3"]
    assert rows[1]["line"] == 2
    assert error in rows[1]["error"]


def test_an_oversize_line_is_skipped_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit, also without an end; the next line is read."""
    for module in (command, lines_module):
        monkeypatch.setattr(module, "LINE_BYTES_MAX", 1_000)
    monkeypatch.setattr(lines_module, "BUFFER_BYTES", 256)
    long = b'{"title": "' + b"x" * 5_000 + b'"}'
    rows, code = classified(long + b'\n{"title": "x"}\n' + long, tmp_path)
    assert code == 1
    assert [row.get("line") for row in rows] == [1, None, 3]
    assert "longer than 1000 bytes" in rows[0]["error"]


def test_gzip_is_told_by_its_bytes_and_dash_is_standard_input(tmp_path: Path) -> None:
    """.jsonl, .jsonl.gz and - are read; standard output is the default."""
    line = json.dumps({"id": "a", "title": SHELLS}).encode()
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(line))
    from_gzip, from_stdin = run("classify", str(path)), run("classify", "-", given=line)
    assert json.loads(from_gzip.stdout)["flagged"] is True
    assert from_gzip.stdout == from_stdin.stdout


def test_an_output_named_gz_is_compressed(tmp_path: Path) -> None:
    """What a file is called is what it holds; the same lines as without."""
    path, plain, packed = (tmp_path / name for name in ("in.jsonl", "out.jsonl", "out.jsonl.gz"))
    path.write_text(json.dumps({"id": "a", "title": SHELLS}) + "\n" + json.dumps({"title": "x"}) + "\n")
    assert run("classify", str(path), str(plain)).exit_code == 0
    assert run("classify", str(path), str(packed)).exit_code == 0
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    """Exit 0, no line."""
    assert classified(b"", tmp_path) == ([], 0)


def test_unreadable_input_exits_2_with_one_line(tmp_path: Path) -> None:
    """Missing, a folder, damaged gzip, or the output itself."""
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b'{"title": "x"}\n' * 1_000)[:-20])
    same = tmp_path / "same.jsonl"
    same.write_bytes(b'{"title": "x"}\n')
    for arguments in ([str(tmp_path / "none")], [str(tmp_path)], [str(damaged)], [str(same), str(same)]):
        result = run("classify", *arguments)
        assert result.exit_code == 2, arguments
        assert "Traceback" not in result.output
    assert same.read_bytes()


def test_output_that_cannot_be_written_exits_1(tmp_path: Path) -> None:
    """One line says which file."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"title": "x"}\n')
    result = run("classify", str(path), str(tmp_path / "no" / "out"))
    assert result.exit_code == 1
    assert "no/out" in result.stderr


def test_lone_surrogates_are_accepted_and_written_back(tmp_path: Path) -> None:
    """Matched as U+FFFD, one for one; ids and quotations come back as escapes."""
    title = "\ud800 " + SHELLS
    line = json.dumps({"id": "\udc00", "title": title}).encode()
    rows, code = classified(line + b'\n{"id": "\\ud800", "title": "Rain"}\n', tmp_path)
    assert code == 0
    assert (rows[0]["id"], rows[0]["flagged"], rows[1]["id"]) == ("\udc00", True, "\ud800")
    assert all(title[span["start"] : span["end"]] == span["text"] for span in rows[0]["evidence"])


def test_an_overlong_field_is_cut_and_named(tmp_path: Path) -> None:
    """A million code points are read."""
    long = json.dumps({"title": "Rain", "text": "x" * (FIELD_LENGTH_MAX + 1)}).encode()
    rows, code = classified(long, tmp_path)
    assert (code, rows[0]["truncated"]) == (0, ["text"])


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    """Windows tools write one."""
    assert classified(b'\xef\xbb\xbf{"title": "x"}\n', tmp_path)[1] == 0


@pytest.mark.parametrize("title", ["Rain in Oslo", "Ça va ?", "Дождь и снег в Осло", ""])
def test_the_short_cut_writes_what_the_codec_would(title: str) -> None:
    """A story held back by the gate has the same bytes either way."""
    model = load_model()
    item = Item('a"b', title, language="fr")
    assert command.judge_with(model)(item) == classify(item, model).to_json() + b"\n"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """``tumen classify FILE | head -1`` ends quietly."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"title": "x"}\n' * 20_000)
    tumen = [sys.executable, "-m", "services", "classify", str(path)]
    with subprocess.Popen(tumen, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, stderr) == (0, b"")


def test_explain_shows_the_working(tmp_path: Path) -> None:
    """Title, summary and a text file; a missing file exits 2."""
    text = tmp_path / "text.txt"
    text.write_text("Kim Jong Un met Putin. They discussed weapons supplies.", "utf-8")
    result = run("explain", "--title", "Talks", "--text", str(text))
    assert result.exit_code == 0
    assert "text: joins the three keys" in result.stdout
    assert run("explain", "--title", "x", "--text", str(tmp_path / "none")).exit_code == 2
