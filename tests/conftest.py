"""What every test runs under: loopback only, and properties that look at as much as the place affords."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings
from pytest_socket import socket_allow_hosts

from services.obs import log
from tests.chaos_plan import CHAOS_S, CHAOS_SEEDS, ChaosPlan, planned
from tests.kafka_broker import Broker, running
from tests.side_by_side import SideBySide, longest_first

if TYPE_CHECKING:
    from xdist.remote import Producer

SHARED = Path(__file__).parents[2] / "shared"

# The same examples every time and no deadline: a property fails for what it found, never for when or where it ran.
# To look further: `pytest --hypothesis-profile=explore tests/properties`.
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("explore", max_examples=3_000, deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "quick")  # noqa: TID251 - no setting of the product's


@pytest.fixture(autouse=True)
def loopback_only() -> None:
    """No test reaches beyond this machine."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Configure JSON logs into memory, and leave logging as it was found."""
    root, out = logging.getLogger(), StringIO()
    handlers, level = root.handlers, root.level
    log.configure("json", out)
    yield out
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def shared() -> Path:
    """Return the folder of real data; skip where it is not beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared (real data, not ours to ship) is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """Boot Apache Kafka once; skip where it cannot be had, fail where it could not boot or CI could have had it."""
    with running() as started:
        yield started


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let chaos be longer, and repeat it (`make chaos`)."""
    parser.addoption("--chaos-seconds", type=float, default=CHAOS_S, help="how long each chaos test strikes")
    parser.addoption("--chaos-seeds", default=CHAOS_SEEDS, help="one run of each chaos test per seed: 1,2,3")


def _plan(config: pytest.Config) -> ChaosPlan:
    return planned(config.getoption("--chaos-seconds"), config.getoption("--chaos-seeds"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `chaos_seed` once for each seed."""
    if "chaos_seed" in metafunc.fixturenames:
        metafunc.parametrize("chaos_seed", _plan(metafunc.config).seeds)


@pytest.fixture(scope="session")
def chaos_plan(pytestconfig: pytest.Config) -> ChaosPlan:
    """Return how long chaos lasts, and all its seeds."""
    return _plan(pytestconfig)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, where processes share the tests."""
    if hasattr(config, "workerinput"):
        longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    """Share the tests among processes, in the order in which they stand."""
    config.option.loadscopereorder = False
    return SideBySide(config, log)
