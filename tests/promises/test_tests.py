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
EXPECTING = frozenset({"raises", "fail", "validate"})
"""Calls of pytest and of a JSON Schema validator that can fail a test."""
REFUSED = {"mock", "unittest.mock", "pytest_mock"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the whole syntax tree of a file."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"), str(path))))


def functions(path: Path) -> list[Function]:
    """Return every function of a file, methods and inner ones too."""
    return [node for node in nodes(path) if isinstance(node, Function)]


def promises_of(path: Path) -> Iterator[Function]:
    """Yield the test functions of a file."""
    return (function for function in functions(path) if function.name.startswith("test_"))


@cache
def calls(function: Function) -> frozenset[str]:
    """Return the bare names that a function calls; EXPECTING's and ``assert`` stand for what can fail."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            found.add("assert")
        elif isinstance(node, ast.Attribute) and node.attr in EXPECTING:
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
    return frozenset(found)


def checking(known: list[Function], names: frozenset[str]) -> frozenset[str]:
    """Return ``names`` and those of the functions that call one of them, directly or through others."""
    while (more := names | {function.name for function in known if calls(function) & names}) != names:
        names = more
    return names


@cache
def checking_for_all() -> frozenset[str]:
    """Return what can fail a test, wherever it stands."""
    return checking([function for path in SHARED for function in functions(path)], EXPECTING | {"assert"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_says_its_promise_and_can_fail(path: Path) -> None:
    """A docstring of one sentence at least, and an assertion or an expected exception."""
    can_fail = checking(functions(path), checking_for_all())
    for test in promises_of(path):
        place = f"{path.name}:{test.lineno} {test.name}"
        said = ast.get_docstring(test) or ""
        assert len(said.split()) >= WORDS_MIN, f"{place}: say the promise in a sentence"
        assert said.endswith((".", ")")), f"{place}: a sentence ends with a full stop"
        assert calls(test) & can_fail, f"{place}: nothing in this test can fail"


@pytest.mark.parametrize("path", [*FILES, *SHARED], ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_sleeps_or_mocks(path: Path) -> None:
    """Waits are for events and time is an argument; fakes and real parts stand where mocks would."""
    for node in nodes(path):
        line = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Attribute) and node.attr == "sleep"), line
        assert not (isinstance(node, ast.ImportFrom) and node.module in REFUSED), line
        assert not (isinstance(node, ast.Import) and {alias.name for alias in node.names} & REFUSED), line


def test_no_two_promises_of_a_file_share_a_name() -> None:
    """The second would silently replace the first."""
    for path in FILES:
        names = [test.name for test in promises_of(path)]
        assert len(names) == len(set(names)), path
