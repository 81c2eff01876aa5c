"""The broker for developers: it says where it is, it ends with whoever started it, and its jars are the published ones."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import kafka_means, kafka_probe
from tests.kafka_broker import free_ports
from tests.kafka_jars import cache, maven

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
END_S = 20
MAVEN_S_MAX = 100
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>example</groupId><artifactId>asks</artifactId><version>1</version>
  <packaging>pom</packaging>
  <repositories><repository><id>own</id><url>{url}</url></repository></repositories>
  <dependencies><dependency>
    <groupId>example</groupId><artifactId>thing</artifactId><version>1</version>
  </dependency></dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
  </plugin></plugins></build>
</project>
"""
THING = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>example</groupId><artifactId>thing</artifactId><version>1</version>
</project>
"""


def start(port: int) -> subprocess.Popen[bytes]:
    """Start what `make kafka` starts."""
    command = [sys.executable, "-m", "tests.kafka_broker", "--port", str(port)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_says_where_it_is_and_ends_when_interrupted() -> None:
    """One line names the setting; Ctrl-C ends the node, too, and a port that is taken is named."""
    if isinstance(missing := kafka_means.means(kafka_means.look()), kafka_means.Missing):
        raise kafka_means.error(missing)
    (port,) = free_ports(1)
    with start(port) as process:
        assert process.stdout
        assert process.stdout.readline().decode() == f"TUMEN_BUS=kafka://127.0.0.1:{port}\n"
        seen = kafka_probe.ask(port)
        assert seen
        assert seen.brokers == {1}
        with start(port) as second:
            assert second.stderr
            assert f"port {port} of 127.0.0.1 is taken" in second.stderr.read().decode()
            assert second.wait(END_S) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 0
    assert not kafka_probe.taken(port)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a Maven repository with one artifact."""
    folder = tmp_path / "published" / "example" / "thing" / "1"
    folder.mkdir(parents=True)
    (folder / "thing-1.pom").write_text(THING)
    with zipfile.ZipFile(folder / "thing-1.jar", "w") as jar:
        jar.writestr("content", "thing")
    return folder


def test_a_jar_with_a_wrong_checksum_is_refused(tmp_path: Path, repository: Path) -> None:
    """Maven, told as it is told for Kafka, ends with an error, and there is no jar."""
    own = Path.home() / ".m2" / "repository"
    if (
        not (own / "org" / "apache" / "maven" / "plugins" / "maven-dependency-plugin").is_dir()
        or not cache().is_dir()
    ):
        pytest.skip("Maven has not fetched its own parts here yet")
    local = tmp_path / "local"
    local.mkdir()
    for part in own.iterdir():
        (local / part.name).symlink_to(part)
    (repository / "thing-1.jar.sha1").write_text("0" * 40)
    (tmp_path / "pom.xml").write_text(POM.format(url=(tmp_path / "published").as_uri()))
    command = [*maven(tmp_path / "pom.xml", tmp_path / "jars"), f"-Dmaven.repo.local={local}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_S_MAX, check=False)
    assert done.returncode == 1
    assert "Checksum validation failed" in done.stdout + done.stderr
    assert not (tmp_path / "jars").exists()
