"""A real Apache Kafka on this machine, from Maven jars: for tests, and for developers (`make kafka`).

One KRaft node on loopback, everything in a folder that is thrown away. Needs Java 17 and, for the first time, Maven.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from xml.etree import ElementTree as ET

POM = Path(__file__).parents[1] / "deploy" / "kafka" / "pom.xml"
CLUSTER_ID = "dHVtZW4tZGV2ZWxvcGVyLQ"
MAVEN_S_MAX = 240
FORMAT_S_MAX = 30
START_S_MAX = 30
STOP_S_MAX = 10
LOOK_S = 0.05

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
{extra}
"""


class NoKafkaError(Exception):
    """Kafka cannot be had on this machine; the message says what is missing."""


class BootError(Exception):
    """Kafka should have started and did not; the message has the end of its log."""


def version() -> str:
    """Return the version of Kafka that the POM pins."""
    found = ET.parse(POM).find("{*}properties/{*}kafka.version")
    assert found is not None
    assert found.text
    return found.text


def cache() -> Path:
    """Return where the jars are kept: outside the repository, one folder a version."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - no setting of the product's
    return Path(root) / "tumen" / f"kafka-{version()}"


def jars() -> Path:
    """Return the folder of jars; Maven fetches them the first time."""
    if shutil.which("java") is None:
        raise NoKafkaError("no `java` here: install a Java 17 runtime for the tests on real Kafka")
    folder = cache()
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise NoKafkaError("no `mvn` here: install Maven, it fetches Apache Kafka once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    command = [
        "mvn",
        "-q",
        "-B",
        "-C",
        "-f",
        str(POM),
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
    ]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={fresh}"],
        capture_output=True, text=True, timeout=MAVEN_S_MAX, check=False,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        message = f"Maven could not fetch Apache Kafka: {(done.stdout + done.stderr).strip()[-500:]}"
        raise NoKafkaError(message)
    _adopt(fresh, folder)
    return folder


def _adopt(fresh: Path, folder: Path) -> None:
    """Give a complete folder its name; another process may have been quicker."""
    try:
        fresh.rename(folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now."""
    with_ports = [socket.socket() for _ in range(count)]
    try:
        for one in with_ports:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_ports]
    finally:
        for one in with_ports:
            one.close()


@dataclass
class Broker:
    """One node: start it, stop it, kill it, start it again on the same data."""

    folder: Path
    port: int
    controller: int
    extra: str = ""
    """More lines of server properties."""
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        """The bootstrap address."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the properties and format the storage."""
        (self.folder / "server.properties").write_text(
            PROPERTIES.format(
                port=self.port, controller=self.controller, data=self.folder / "data", extra=self.extra
            )
        )
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties"),
            cwd=self.folder, capture_output=True, text=True, timeout=FORMAT_S_MAX, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BootError((done.stdout + done.stderr)[-1_500:])

    def _java(self, *arguments: str) -> list[str]:
        levels = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", levels, "-cp", f"{jars()}/*", *arguments]

    def start(self) -> None:
        """Start the process and wait until its port is open."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", "server.properties"),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(int(START_S_MAX / LOOK_S)):
            if self.process.poll() is not None:
                break
            if self._open():
                return
            Event().wait(LOOK_S)
        self.kill()
        raise BootError((self.folder / "broker.log").read_text(errors="replace")[-1_500:])

    def _open(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(LOOK_S)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Ask the process to end, then end it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal (SIGSTOP, SIGCONT)."""
        assert self.process is not None
        self.process.send_signal(number)


@contextmanager
def running(extra: str = "", port: int | None = None) -> Iterator[Broker]:
    """Run a broker in a temporary folder for the block."""
    jars()
    own, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="tumen-kafka-", ignore_cleanup_errors=True) as folder:
        broker = Broker(Path(folder), port or own, controller, extra)
        broker.prepare()
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


def main() -> None:
    """Run a broker until it is interrupted, and say where it is."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with running(port=port) as broker:
            sys.stdout.write(f"TUMEN_BUS=kafka://{broker.address}\n")
            sys.stdout.flush()
            assert broker.process
            broker.process.wait()
    except (NoKafkaError, BootError) as error:
        sys.exit(f"kafka: {error}")
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
