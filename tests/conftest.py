"""What every test runs under: loopback only."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def loopback_only() -> None:
    """No test reaches beyond this machine."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def shared() -> Path:
    """Return the folder of real data; skip where it is not beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared (real data, not ours to ship) is not beside this checkout")
    return SHARED
