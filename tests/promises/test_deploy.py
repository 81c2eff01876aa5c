"""docker-compose.yml and deploy/Dockerfile are valid, hardened, and say of the code what is so.

No engine is needed: the Compose specification's schema and a linter judge the form, the code itself the content.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

import services
from services.bootstrap.parts import SERVICES
from services.cli.main import main
from services.clock import SystemClock
from services.desk.app import make_app
from services.desk.service import Desk
from services.obs.health import Health
from services.obs.metrics import Metrics
from services.runner import STOP_S_MAX
from services.settings import DeskSection, HealthSection, PollerSection, SettingsError, load
from services.text.times import parse_duration
from tests.kafka_broker import version as kafka_version

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
CONTAINERS: dict[str, Any] = COMPOSE["services"]
OURS = {name: one for name, one in CONTAINERS.items() if name != "kafka"}
JOBS = {"topics", "feeds", "subscribers"}
PROBED = {name: one for name, one in OURS.items() if name not in JOBS}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
HADOLINT = Path(sys.executable).parent / "hadolint"


def compose_schema() -> Any:
    """Return a validator of the Compose specification's schema, as a development package carries it."""
    vendored = files("check_jsonschema.builtin_schemas.vendor") / "compose-spec.json"
    schema = json.loads(vendored.read_text("utf-8"))
    return validator_for(schema)(schema)


def filled(text: str) -> str:
    """Return a value with the defaults of the variables of this file: ``${NAME:-default}``."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def environment(container: Any) -> dict[str, str]:
    """Return the settings that a container is given."""
    return {name: filled(value) for name, value in container.get("environment", {}).items()}


def instruction(text: str, name: str) -> list[str]:
    """Return the arguments of every instruction of this name."""
    joined = text.replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_compose_file_obeys_the_specification() -> None:
    """As its JSON Schema says; a misspelt key is found."""
    validator = compose_schema()
    validator.validate(COMPOSE)

    assert not validator.is_valid({"services": {"poller": {"image": "tumen", "reed_only": True}}})


def test_the_dockerfile_passes_the_linter() -> None:
    """With every rule on; and the linter does find what is wrong elsewhere."""
    good = subprocess.run(
        [HADOLINT, ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    bad = subprocess.run(
        [HADOLINT, "-"], input="FROM python\nRUN cd /x\n", capture_output=True, text=True, check=False
    )

    assert (good.returncode, good.stdout + good.stderr) == (0, "")
    assert "DL3006" in bad.stdout


def test_one_container_a_service_and_the_demo_for_itself() -> None:
    """`docker compose up` starts the five, Kafka and the jobs; the demo only by its name."""
    assert set(OURS) == {*SERVICES, *JOBS, "demo"}
    assert OURS["demo"]["profiles"] == ["demo"]
    assert "depends_on" not in OURS["demo"]
    assert not any("profiles" in one for name, one in CONTAINERS.items() if name != "demo")
    assert not any("container_name" in one for one in CONTAINERS.values()), "a name forbids a second replica"
    assert {name: OURS[name]["deploy"]["replicas"] for name in SERVICES} == dict.fromkeys(SERVICES, 1)
    assert all(OURS[name]["command"][0] == name for name in SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str) -> None:
    """With options that it has."""
    command, arguments = main, list(OURS[name]["command"])
    with command.make_context("tumen", arguments, resilient_parsing=False) as context:
        while isinstance(command, click.Group):
            found, below, arguments = command.resolve_command(context, arguments)
            assert found
            assert below
            command = below  # type: ignore[assignment]
            if not isinstance(command, click.Group):
                command.make_context(found, arguments)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt one would be refused at the start of the container; here it is found sooner."""
    monkeypatch.chdir(tmp_path)
    given = environment(OURS[name])
    settings = load(None, given)

    assert all(variable.startswith("TUMEN_") for variable in given)
    if name != "demo":
        assert settings.bus == f"kafka://{CONTAINERS['kafka']['hostname']}:9092"
        assert settings.log.format == "json"
        assert settings.health.bind == "0.0.0.0"
    assert settings.poller.user_agent == PollerSection().user_agent
    with pytest.raises(SettingsError, match="TUMEN_POLER__USER_AGENT"):
        load(None, {**given, "TUMEN_POLER__USER_AGENT": "a misspelt section"})


def test_ports_are_the_contracts_and_only_the_desk_is_published() -> None:
    """On this machine's loopback: the desk asks nobody who they are."""
    published = {name: one["ports"] for name, one in CONTAINERS.items() if "ports" in one}
    desk = f"127.0.0.1:{DeskSection().port}:{DeskSection().port}"
    assert published == {"desk": [desk], "demo": [desk]}
    for name in SERVICES:
        command = OURS[name]["command"]
        assert command[command.index("--health-port") + 1] == str(HealthSection().port)
    assert all(environment(OURS[name])["TUMEN_DESK__BIND"] == "0.0.0.0" for name in published)
    assert instruction(FINAL, "EXPOSE") == [f"{DeskSection().port} {HealthSection().port}"]
    assert COMPOSE["networks"]["log"] == {"internal": True}
    assert CONTAINERS["kafka"]["networks"] == ["log"]


def test_versions_are_those_of_the_code_and_of_the_tests() -> None:
    """The broker that runs is the broker that the tests ran on."""
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert {one["image"] for one in OURS.values()} == {f"tumen:{services.__version__}"}
    assert all(one["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"} for one in OURS.values())


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    """No capability, no new privilege, bounded memory, processes and logs; ours cannot write to their image either."""
    one = CONTAINERS[name]
    assert one["cap_drop"] == ["ALL"]
    assert "cap_add" not in one
    assert "privileged" not in one
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert set(one["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert set(one["logging"]["options"]) == {"max-size", "max-file"}
    if name in OURS:
        assert one["read_only"] is True
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", one["user"])
        assert [mount.partition(":")[0] for mount in one["tmpfs"]] == ["/tmp"]
        assert all(mount["read_only"] for mount in one.get("volumes", []))


@pytest.mark.parametrize("name", [*SERVICES, "demo"])
def test_a_service_may_end_as_it_likes_to(name: str) -> None:
    """Docker kills later than the service has ended by itself, and a second signal reaches it."""
    assert parse_duration(OURS[name]["stop_grace_period"]).total_seconds() >= 2 * STOP_S_MAX
    assert OURS[name]["init"] is True
    assert OURS[name]["restart"] == ("no" if name == "demo" else "unless-stopped")


def test_nothing_starts_before_what_it_needs() -> None:
    """Topics before everything that opens the log; lists before those who work from them."""
    done = {"condition": "service_completed_successfully"}
    assert OURS["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert all(OURS[name]["depends_on"]["topics"] == done for name in (*SERVICES, "feeds", "subscribers"))
    assert OURS["poller"]["depends_on"]["feeds"] == done
    assert OURS["alerter"]["depends_on"]["subscribers"] == done
    assert all(OURS[name]["healthcheck"] == {"disable": True} for name in JOBS)


def paths(app: Any) -> set[str]:
    """Return the paths that an application serves."""
    return {resource.canonical for resource in app.router.resources()}


class NothingToFollow:
    """A tail of nothing: the desk is made, not run."""


@pytest.mark.parametrize("name", PROBED)
def test_every_probe_asks_what_is_served(name: str) -> None:
    """With the probe that the image has, on the port that the service has, for liveness."""
    *command, url = PROBED[name]["healthcheck"]["test"]
    asked = urlsplit(url)
    desk = make_app(Desk(NothingToFollow(), SystemClock(), Metrics()), ())  # type: ignore[arg-type]
    served = {
        DeskSection().port: paths(desk),
        HealthSection().port: paths(Health(Metrics())._app()),
    }
    assert command == ["CMD", "python", "-m", "services.obs.probe"]
    assert asked.hostname == "127.0.0.1"
    assert asked.path in served[asked.port or 0]
    assert asked.path == ("/api/v1/openapi.json" if name == "demo" else "/live")
    assert url in DOCKERFILE or name == "demo"


def test_secrets_are_files() -> None:
    """None stands in the file or the environment; the mounted lists are there."""
    assert OURS["alerter"]["secrets"] == list(COMPOSE["secrets"])
    assert set(COMPOSE["secrets"]["webhook_secret"]) == {"file"}
    for name in ("feeds", "subscribers"):
        (mount,) = OURS[name]["volumes"]
        assert mount["target"] == OURS[name]["command"][-1]
        assert (ROOT / filled(mount["source"])).is_file()


def test_the_image_is_locked_unprivileged_and_signals_reach_it() -> None:
    """Hashes, wheels only, a numeric user that is not root, exec forms; no installer in the last stage."""
    assert "--require-hashes --no-deps --only-binary :all: -r requirements/run.txt" in DOCKERFILE
    assert instruction(DOCKERFILE, "FROM") == ["python:${PYTHON} AS build", "python:${PYTHON}"]
    assert instruction(FINAL, "USER") == [OURS["poller"]["user"]]
    assert instruction(FINAL, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(instruction(FINAL, "ENTRYPOINT")[0]) == ["tumen"]
    assert json.loads(instruction(FINAL, "CMD")[0]) == ["--help"]
    assert not instruction(FINAL, "RUN")
    assert instruction(FINAL, "HEALTHCHECK")[0].endswith(
        json.dumps(PROBED["poller"]["healthcheck"]["test"][1:])
    )


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    """A list of what goes in: neither a log nor a secret is sent to the engine by accident."""
    lines = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"
    ]
    wanted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for line in instruction(DOCKERFILE, "COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert lines[0] == "*"
    assert copied == wanted
    assert all((ROOT / source).exists() for source in wanted)
    assert any(fnmatch("services/__pycache__", pattern.replace("**", "*")) for pattern in lines[1:])


def test_what_leaves_the_image_again_is_locked_too() -> None:
    """The packages that build ours are in the lock; a name that is not there is a mistake."""
    (removed,) = re.findall(r"pip uninstall -y ((?!pip\n)[a-z -]+)", DOCKERFILE)
    locked = re.findall(
        r"^([a-z0-9-]+)==", (ROOT / "requirements" / "run.txt").read_text("utf-8"), re.MULTILINE
    )
    assert "hatchling" in removed.split()
    assert set(removed.split()) <= set(locked)
