"""What every wire model shares: strict to write, tolerant to read, frozen.

Timestamps are strings in one fixed form, so that sorting them as text sorts them in time, and so that encoding a
message costs no Python call per field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """A message or a part of one: immutable; unknown fields of newer writers are ignored when read."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )

    def to_json(self) -> bytes:
        """Return the canonical bytes: declared field order, absent instead of null."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


Timestamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""UTC, ``YYYY-MM-DDTHH:MM:SS.mmmZ``, always."""

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""First 32 hex digits of a SHA-256 over length-prefixed parts (``services.text.ids``)."""

Score = Annotated[float, Field(ge=0, le=1)]
Confidence = Annotated[int, Field(ge=0, le=100)]
Severity = Annotated[int, Field(ge=1, le=5)]
"""1 archive, 2 low, 3 medium, 4 high, 5 urgent (DOMAIN.md section 4)."""
