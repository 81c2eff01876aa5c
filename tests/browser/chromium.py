"""A real Chromium for the browser tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

from tests.machine import due, in_ci, installable

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
"""Root in a container has no sandbox; there is no graphics card; /dev/shm may be tiny."""


def require_chromium() -> str:
    """Return the path of Chromium; skip where there is none, fail where CI could have installed one."""
    if path := next(filter(None, map(shutil.which, NAMES)), None):
        return path
    if due(ci=in_ci(), could=installable()):
        pytest.fail("no Chromium: CI must install it (apt-get install -y chromium fonts-noto-cjk)")
    pytest.skip("no Chromium here: apt-get install -y chromium fonts-noto-cjk")


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """Run a browser for one test."""
    path = require_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
