"""With what Kafka runs on a machine, and when its absence is a failure: a decision about values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kafka_means import KafkaDueError, Machine, Missing, NoKafkaError, error, means, unfetched

BARE = Machine()
CI_AS_ROOT = Machine(ci=True, installable=True)


@pytest.mark.parametrize("engine", [False, True])
@pytest.mark.parametrize("machine", [Machine(java=True, maven=True), Machine(java=True, jars=True)])
def test_jars_are_used_where_java_is(machine: Machine, engine: bool) -> None:
    """Java with Maven, or with jars that were fetched before, comes before any container."""
    assert means(replace(machine, engine=engine)) == "jars"


@pytest.mark.parametrize(
    "machine", [BARE, Machine(java=True), Machine(maven=True), Machine(jars=True), CI_AS_ROOT]
)
def test_a_container_is_used_where_only_an_engine_is(machine: Machine) -> None:
    """Whatever is missing for the jars, an engine that answers is enough, in CI too."""
    assert means(replace(machine, engine=True)) == "container"


@pytest.mark.parametrize(
    ("machine", "absent"),
    [(BARE, "java and mvn"), (Machine(java=True), "mvn"), (Machine(maven=True), "java")],
)
def test_the_reason_names_what_is_missing_of_both(machine: Machine, absent: str) -> None:
    """It says which of Java and Maven is not there, how to get it, and that no engine answers."""
    found = means(machine)
    assert isinstance(found, Missing)
    assert f": {absent} missing" in found.reason
    assert "apt-get install -y default-jre-headless maven" in found.reason
    assert "no Docker engine answers" in found.reason


@pytest.mark.parametrize("ci", [False, True])
@pytest.mark.parametrize("installable", [False, True])
def test_ci_fails_only_where_packages_could_have_been_installed(ci: bool, installable: bool) -> None:
    """A developer's machine is never blamed, nor CI without root or apt-get."""
    found = means(Machine(ci=ci, installable=installable))
    assert isinstance(found, Missing)
    assert found.due is (ci and installable)


@pytest.mark.parametrize("ci", [False, True])
def test_a_fetch_that_fails_is_blamed_on_ci(ci: bool) -> None:
    """With Java and Maven there, Kafka could have been used."""
    found = unfetched(Machine(java=True, maven=True, ci=ci), "no route to host")
    assert found.due is ci
    assert "no route to host" in found.reason


@pytest.mark.parametrize(("due", "kind"), [(False, NoKafkaError), (True, KafkaDueError)])
def test_a_test_is_skipped_or_fails_by_what_it_raises(due: bool, kind: type[BaseException]) -> None:
    """Both are pytest's own outcomes: any test that asks for Kafka gets them, without code of its own."""
    raised = error(Missing("no real Kafka here", due=due))
    assert type(raised) is kind
    assert isinstance(raised, pytest.fail.Exception if due else pytest.skip.Exception)
    assert str(raised) == "no real Kafka here"
