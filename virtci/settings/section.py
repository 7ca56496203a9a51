"""What every section of a stack file is, and the sections that several others hold."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from virtci.settings.types import AgentVersion, Sha256

Parts = dict[str, Any]
"""The sections of a stack file as far as they can be read; others are absent here."""


class UnreadableError(Exception):
    """Asked for a value that has a fault of its own; no rule that needs it can be checked."""


class Section(BaseModel):
    """A part of a stack file: immutable, and closed against keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, str_strip_whitespace=True)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A field is absent only while a file with faults is read (`virtci.settings.load`)."""
            if name in type(self).model_fields:
                raise UnreadableError(name)
            return super().__getattr__(name)


class Agent(Section):
    """The release of GitHub's runner agent that runners install."""

    version: AgentVersion = Field(description="Version; GitHub takes no older one than its minimum.")
    sha256: Sha256 = Field(description="Published checksum of the archive for linux-x64.")
