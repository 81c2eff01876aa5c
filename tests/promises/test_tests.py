"""The tests keep the house's rules too: each says its promise, each can fail, none sleeps, none mocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("test_*.py"))
SHARED = sorted(set(TESTS.rglob("*.py")) - set(FILES))
"""What several test files use: builders, fakes, drivers of processes and browsers."""
WORDS_MIN = 3
"""A sentence; less names a method again."""
EXPECTING = frozenset({"raises", "fail"})
"""Calls of pytest that can fail a test."""
REFUSED = {"mock", "unittest.mock", "pytest_mock"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions(path: Path) -> tuple[Function, ...]:
    """Return every function of a file, methods and inner ones too."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    return tuple(node for node in ast.walk(tree) if isinstance(node, Function))


def promises_of(path: Path) -> Iterator[Function]:
    """Yield the test functions of a file."""
    return (function for function in functions(path) if function.name.startswith("test_"))


def checks(function: Function, own: frozenset[str]) -> bool:
    """Whether a function asserts, expects an exception, or calls a function of the tests that does."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Attribute) and node.attr in EXPECTING)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in own)
        for node in ast.walk(function)
    )


@cache
def checking_names(path: Path) -> frozenset[str]:
    """Return the names of the functions of a file, and of those shared by all, that check."""
    known = [function for file in (path, *SHARED) for function in functions(file)]
    names: frozenset[str] = frozenset()
    while (more := frozenset(function.name for function in known if checks(function, names))) != names:
        names = more
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_says_its_promise_and_can_fail(path: Path) -> None:
    """A docstring of one sentence at least, and an assertion or an expected exception."""
    for test in promises_of(path):
        place = f"{path.name}:{test.lineno} {test.name}"
        said = ast.get_docstring(test) or ""
        assert len(said.split()) >= WORDS_MIN, f"{place}: say the promise in a sentence"
        assert said.endswith((".", ")")), f"{place}: a sentence ends with a full stop"
        assert checks(test, checking_names(path)), f"{place}: nothing in this test can fail"


@pytest.mark.parametrize("path", [*FILES, *SHARED], ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_sleeps_or_mocks(path: Path) -> None:
    """Waits are for events and time is an argument; fakes and real parts stand where mocks would."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not imported & REFUSED
    assert not [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "sleep"
    ]


def test_no_two_promises_of_a_file_share_a_name() -> None:
    """The second would silently replace the first."""
    for path in FILES:
        names = [test.name for test in promises_of(path)]
        assert len(names) == len(set(names)), path
