"""The probe of containers: exit 0 for a 200, else one line that says why."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from services.obs.health import Health
from services.obs.metrics import Metrics
from services.obs.probe import main


async def ask(url: str) -> tuple[int | None, str]:
    """Run the probe as a container does; return its exit code and what it said."""
    asked = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.obs.probe", url, stderr=PIPE)
    _, said = await asked.communicate()
    return asked.returncode, said.decode()


async def test_a_probe_follows_the_status() -> None:
    """Alive is 0; not ready is 1 with the reason that the service gives."""
    health = Health(Metrics(), {"log": lambda: "kafka cannot be reached"})
    listener = await health.start("127.0.0.1", 0)
    try:
        assert await ask(f"{listener.url}/live") == (0, "")
        code, said = await ask(f"{listener.url}/ready")
    finally:
        await health.close()
    assert code == 1
    assert "503" in said
    assert "kafka cannot be reached" in said

    code, said = await ask(f"{listener.url}/live")
    assert code == 1
    assert "refused" in said


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["a", "b"], 2), (["https://x.example/live"], 1)])
def test_a_wrong_call_is_said(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake in a health check must not look like a healthy service."""
    assert main(arguments) == code
    assert capsys.readouterr().err.count("\n") == 1
