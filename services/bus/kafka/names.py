"""What things are called on the cluster: topics, groups, transactional ids."""

from __future__ import annotations

from dataclasses import dataclass

OWN_PREFIX = "tumen"
"""The first part of the names in the table of topics."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation; several share a cluster when their prefixes or environments differ."""

    prefix: str = OWN_PREFIX
    environment: str = "prod"

    def topic(self, name: str) -> str:
        """Return the cluster's name of a topic of the table."""
        return self.prefix + name.removeprefix(OWN_PREFIX)

    def own_topic(self, name: str) -> str:
        """Return the table's name of a topic of the cluster."""
        return OWN_PREFIX + name.removeprefix(self.prefix)

    def group(self, group: str) -> str:
        """Return the cluster's name of a consumer group."""
        return f"{self.prefix}.{group}"

    def transactional_id(self, group: str, topic: str, partition: int) -> str:
        """Return the id that fences: it names the input partition and nothing of a host or a process."""
        return f"{self.environment}.{OWN_PREFIX}.{group}.{self.topic(topic)}.{partition}"

    @property
    def topics(self) -> str:
        """The beginning of every topic's name, for permissions."""
        return f"{self.prefix}."

    def transactional_prefix(self, group: str, topic: str) -> str:
        """Return the beginning of the ids of a group's lanes, for permissions."""
        return self.transactional_id(group, topic, 0).removesuffix("0")

    @property
    def append_prefix(self) -> str:
        """The beginning of the ids of those who append outside any group."""
        return f"{self.environment}.{OWN_PREFIX}.append."
