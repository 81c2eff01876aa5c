"""What this machine affords, and whether a test that lacks something is skipped or fails."""

from __future__ import annotations

import os
import shutil


def in_ci() -> bool:
    """Whether this run decides if something lands."""
    return bool(os.environ.get("CI"))  # noqa: TID251 - a test asks where it runs


def installable() -> bool:
    """Whether the system's packages can be installed here, as `.ci/run` does: by root, with apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def due(*, ci: bool, could: bool) -> bool:
    """Whether a test fails instead of being skipped: CI must not pass without what it could have had."""
    return ci and could
