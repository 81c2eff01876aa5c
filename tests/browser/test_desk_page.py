"""The desk in a real browser: live, calm, harmless."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Page, expect

from schemas import Alert
from services.clock import VirtualClock
from services.desk.server import DeskServer, serve
from services.desk.service import Desk
from tests.browser.chromium import a_browser
from tests.builders import an_alert
from tests.desk_alerts import FakeTail, arabic, day, english, korean, printed, quoted, told

pytestmark = pytest.mark.browser

NOW = datetime(2026, 5, 12, 18, 4, 31, tzinfo=UTC)

WATCH = """
  window.violations = [];
  window.shift = 0;
  addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Open:
    """A desk, a page that shows it, and everything that went wrong on the page."""

    desk: Desk
    tail: FakeTail
    server: DeskServer
    page: Page
    wrong: list[str] = field(default_factory=list)

    async def arrive(self, *alerts: Alert) -> None:
        """Let alerts come in."""
        for alert in alerts:
            self.tail.put(alert)
        await self.desk.drain(NOW)

    async def check(self) -> None:
        """Fail if the page broke a rule: policy, console error, dialog, request to elsewhere."""
        violations = await self.page.evaluate("window.violations")
        assert (self.wrong, violations) == ([], [])


@asynccontextmanager
async def opened(*alerts: Alert, path: str = "/", **context: Any) -> AsyncIterator[Open]:
    """Open a desk that holds these alerts in a browser."""
    tail = FakeTail(*alerts)
    desk = Desk(tail, VirtualClock(NOW), watching=("32 feeds in 9 languages",))
    await desk.drain(NOW)
    server = await serve(desk, "127.0.0.1", 0)
    try:
        async with a_browser() as browser:
            page = await (await browser.new_context(**context)).new_page()
            found = Open(desk, tail, server, page)
            _watch(found)
            await page.add_init_script(WATCH)
            await page.goto(server.url + path)
            yield found
    finally:
        await server.close()


def _watch(found: Open) -> None:
    wrong, page = found.wrong, found.page
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on(
        "request",
        lambda request: None if request.url.startswith(found.server.url) else wrong.append(request.url),
    )


async def test_new_alerts_raise_a_pill_and_come_in_when_asked() -> None:
    """The list stands still until the reader wants more; then the new ones are on top, each once."""
    async with opened(korean()) as found:
        page = found.page
        await expect(page.locator("#link")).to_contain_text("live 18:04:31 UTC")
        await found.arrive(english(), arabic())
        await expect(page.locator("#pill")).to_have_text("2 new, highest 5 urgent — show")
        await expect(page.locator("article")).to_have_count(1)
        await expect(page).to_have_title("(2) Alerts · tumen")
        await expect(page.locator("#said")).to_contain_text("new alert")
        await expect(page.locator("#today")).to_have_text("3")
        assert await page.evaluate("window.shift") < 0.01
        await page.click("#pill")
        await expect(page.locator("article")).to_have_count(3)
        ids = await page.eval_on_selector_all("article", "all => all.map(one => one.dataset.id)")
        assert ids == [arabic().id, english().id, korean().id]
        await expect(page.locator("#pill")).to_be_hidden()
        await expect(page).to_have_title("Alerts · tumen")
        focused = await page.evaluate("document.activeElement.dataset.id")
        assert focused == arabic().id
        await found.check()


async def test_the_first_alert_replaces_the_empty_page() -> None:
    """Whoever waits on an empty desk needs no reload."""
    async with opened() as found:
        await expect(found.page.locator("#empty")).to_contain_text("No alerts yet")
        await expect(found.page.locator("#link")).to_contain_text("live")
        await found.arrive(korean())
        await found.page.click("#pill")
        await expect(found.page.locator("article")).to_have_count(1)
        await expect(found.page.locator("#empty")).to_have_count(0)
        await found.check()


async def test_a_filtered_page_hears_only_of_what_passes() -> None:
    """The stream carries the page's filter."""
    async with opened(korean(), path="/?severity_min=5&language=") as found:
        await expect(found.page.locator("#link")).to_contain_text("live")
        await found.arrive(arabic(), english())
        await expect(found.page.locator("#pill")).to_have_text("1 new, highest 5 urgent — show")
        await found.check()


async def test_a_lost_link_is_said_and_mended() -> None:
    """The server goes: "not live since"; it comes back on its port: live, and what was missed is offered."""
    async with opened(korean()) as found:
        page, port = found.page, found.server.listener.port
        await expect(page.locator("#link")).to_contain_text("live 18:04:31")
        await found.server.close()
        await expect(page.locator("#link")).to_contain_text("not live since 18:04:31 UTC")
        found.wrong.clear()
        desk = Desk(FakeTail(korean(), english()), VirtualClock(NOW))
        await desk.drain(NOW)
        again = await serve(desk, "127.0.0.1", port)
        try:
            await expect(page.locator("#state")).to_have_class("state live", timeout=15_000)
            await expect(page.locator("#pill")).to_have_text("1 new, highest 5 urgent — show")
        finally:
            await again.close()


async def test_another_log_offers_a_reload() -> None:
    """A server whose log is younger than the page must not pass for the same one."""
    async with opened(korean(), english()) as found:
        page, port = found.page, found.server.listener.port
        await expect(page.locator("#link")).to_contain_text("live")
        await found.server.close()
        fresh = Desk(FakeTail(arabic()), VirtualClock(NOW))
        await fresh.drain(NOW)
        again = await serve(fresh, "127.0.0.1", port)
        try:
            await expect(page.locator("#pill")).to_contain_text("reload", timeout=15_000)
            await page.click("#pill")
            await expect(page.locator("article")).to_have_count(1)
        finally:
            await again.close()


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202etxt.exe\u2066",
    "</article></main><h1>",
    "x" * 1_000_000,
)


async def test_hostile_titles_are_harmless_on_arrival_and_on_load() -> None:
    """Script, markup, bidi controls, a javascript: link and a megabyte: shown as text, nothing runs, nothing leaks."""
    alerts = []
    for number, title in enumerate(HOSTILE):
        source = printed(f"h{number}", title, "en", title, url="javascript:alert(1)", domain="evil.example")
        evidence = quoted(f"h{number}", f"{title[:200]} North Korea Russia", dprk="North Korea", rus="Russia")
        alerts.append(told(f"h{number}", source, evidence, "10:00", reason=title))
    async with opened(korean()) as found:
        page = found.page
        await expect(page.locator("#link")).to_contain_text("live")
        await found.arrive(*alerts)
        await expect(page.locator("#pill")).to_contain_text("5 new")
        await page.click("#pill")
        await expect(page.locator("article")).to_have_count(6)
        await page.reload()
        await expect(page.locator("article")).to_have_count(6)
        await expect(page.locator("article .title").nth(4)).to_have_text("<script>alert(1)</script>")
        assert await page.locator("article img, article script, a[href^='javascript']").count() == 0
        assert await page.locator("h1").count() == 1
        assert "\u202e" not in await page.content()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await found.check()


async def test_the_policy_holds_in_the_browser() -> None:
    """Injected script, style, markup and evaluation are all blocked, and the page itself needs none of them."""
    async with opened(korean()) as found:
        blocked = await found.page.evaluate(
            """async () => {
              const caught = [];
              const attempt = (name, act) => { try { act(); } catch { caught.push(name); } };
              attempt("innerHTML", () => { document.body.innerHTML += "<b>x</b>"; });
              attempt("parser", () => new DOMParser().parseFromString("<b>x</b>", "text/html"));
              attempt("policy", () => trustedTypes.createPolicy("mine", { createHTML: (text) => text }));
              const script = document.createElement("script");
              attempt("script", () => { script.text = "window.ran = true"; });
              attempt("handler", () => document.body.setAttribute("onclick", "window.ran = true"));
              document.body.click();
              return { caught, ran: window.ran ?? false };
            }"""
        )
        assert blocked == {"caught": ["innerHTML", "parser", "policy", "script", "handler"], "ran": False}


async def test_scripts_are_a_comfort_not_a_need() -> None:
    """Without JavaScript: alerts, evidence, filter and the single page work by links and reload."""
    async with opened(*day(), java_script_enabled=False) as found:
        page = found.page
        await expect(page.locator("article")).to_have_count(7)
        await expect(page.locator("#link")).to_contain_text("as of 18:04:31 UTC")
        await page.select_option("select[name=severity_min]", "5")
        await page.click("text=Filter")
        await expect(page.locator("article")).to_have_count(2)
        await page.locator("article .when a").first.click()
        await expect(page.locator("h1")).to_contain_text("White House")


async def test_writing_directions_and_languages_are_kept() -> None:
    """An Arabic headline runs right to left in an English page; each text carries its language."""
    async with opened(*day()) as found:
        title = found.page.locator(f"#a-{arabic().id} .title")
        assert await title.evaluate("one => getComputedStyle(one).direction") == "rtl"
        assert await title.get_attribute("lang") == "ar"
        assert await found.page.locator(f"#a-{korean().id} blockquote").get_attribute("lang") == "ko"
        await found.check()


async def test_a_phone_shows_everything_without_scrolling_sideways() -> None:
    """360 by 740: no overflow, controls big enough for a thumb."""
    viewport = {"width": 360, "height": 740}
    async with opened(*day(), viewport=viewport, has_touch=True) as found:
        assert await found.page.evaluate("document.documentElement.scrollWidth") == 360
        heights = await found.page.eval_on_selector_all(
            "select, button:not([hidden]), summary, .when a",
            "all => all.map(one => one.getBoundingClientRect().height)",
        )
        assert min(heights) >= 40
        await found.check()


async def test_a_burst_is_one_pill_and_no_shift() -> None:
    """Twenty alerts at once: one sentence, and the page stands still."""
    async with opened(*day()) as found:
        await expect(found.page.locator("#link")).to_contain_text("live")
        async with asyncio.timeout(5):
            await found.arrive(*(an_alert(f"burst{number}", severity=3) for number in range(20)))
            await expect(found.page.locator("#pill")).to_have_text("20 new, highest 3 medium — show")
        assert await found.page.evaluate("window.shift") < 0.01
        await found.check()
