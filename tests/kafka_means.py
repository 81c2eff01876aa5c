"""With what Kafka can run here, and whether it is a skip or a failure where it cannot.

Pure but for `look`: jars where Java and Maven are, else a container where a Docker engine answers, else a reason.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal, TypeAlias

from _pytest.outcomes import Failed, Skipped

from tests.kafka_jars import cache
from tests.machine import due, in_ci, installable

ENGINE_S_MAX = 5
"""An engine that does not answer by then is none."""


class NoKafkaError(Skipped):
    """Kafka cannot be had on this machine: a skip wherever it is raised in a test; the message says what is missing."""


class KafkaDueError(Failed):
    """Kafka could have been had on this machine, and CI must not pass without it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found."""

    java: bool = False
    maven: bool = False
    jars: bool = False
    """Fetched before: Maven is not needed again."""
    engine: bool = False
    """A Docker engine answers, not only its client."""
    ci: bool = False
    installable: bool = False
    """The system's packages may be installed here: by root, with apt-get. `.ci/run` does so."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Neither jars nor a container."""

    reason: str
    due: bool
    """CI could have had Kafka: the tests fail."""


Means: TypeAlias = Literal["jars", "container"] | Missing


def means(machine: Machine) -> Means:
    """Choose: jars before a container, for they can be frozen, starved and killed from here."""
    if machine.java and (machine.jars or machine.maven):
        return "jars"
    if machine.engine:
        return "container"
    absent = " and ".join(
        name for name, there in (("java", machine.java), ("mvn", machine.maven)) if not there
    )
    reason = (
        f"no real Kafka here: {absent} missing (install a Java 17 runtime and Maven: "
        "apt-get install -y default-jre-headless maven), and no Docker engine answers"
    )
    return Missing(reason, due=due(ci=machine.ci, could=machine.installable))


def unfetched(machine: Machine, said: str) -> Missing:
    """Return what it means that jars or image could not be fetched: with the tools there, CI could have had them."""
    return Missing(
        f"no real Kafka here: it could not be fetched ({said})", due=due(ci=machine.ci, could=True)
    )


def error(missing: Missing) -> NoKafkaError | KafkaDueError:
    """Return what a test raises."""
    return KafkaDueError(missing.reason) if missing.due else NoKafkaError(missing.reason)


def look() -> Machine:
    """Look around; the engine is asked only where nothing better is there."""
    java, maven, jars = bool(shutil.which("java")), bool(shutil.which("mvn")), cache().is_dir()
    return Machine(
        java=java,
        maven=maven,
        jars=jars,
        engine=not (java and (maven or jars)) and _engine_answers(),
        ci=in_ci(),
        installable=installable(),
    )


def _engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True, timeout=ENGINE_S_MAX, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
