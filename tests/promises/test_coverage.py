"""What is called pure is also measured: `make test` demands every branch of it."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UNMEASURED = ("schemas", "services.poller.parse")
"""Models have no branches to speak of; parsers answer documents, whose corpus is the measure."""


def settings() -> dict[str, Any]:
    """Return the tools' settings."""
    tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    return tools


MEASURED: list[str] = settings()["coverage"]["run"]["include"]
PURE = next(
    contract["source_modules"]
    for contract in settings()["importlinter"]["contracts"]
    if contract["name"] == "Decisions are pure"
)


@pytest.mark.parametrize("pattern", MEASURED)
def test_what_is_measured_is_there(pattern: str) -> None:
    """A file that was renamed must not leave the measurement silently."""
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize("module", [name for name in PURE if not name.startswith(UNMEASURED)])
def test_every_module_that_is_held_pure_is_measured(module: str) -> None:
    """The import contract and the measurement name the same modules."""
    path = module.replace(".", "/")
    file = f"{path}.py" if (ROOT / f"{path}.py").is_file() else f"{path}/__init__.py"
    assert any(fnmatch(file, pattern) for pattern in MEASURED)


def test_every_branch_of_it_is_demanded() -> None:
    """One hundred per cent, branches counted."""
    assert settings()["coverage"]["run"]["branch"]
    assert settings()["coverage"]["report"]["fail_under"] == 100
