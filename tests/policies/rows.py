"""A row in the tables of what rules on single resources find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.policies.good import title

KEY_HEAD = "-----BEGIN OPENSSH PRIVATE " + "KEY-----"
GITHUB_TOKEN = "ghp_" + "a1B2c3D4e5" * 4

State = Literal["pass", "fail", "missing", "unknown", "configuration"]


@dataclass(frozen=True)
class Row:
    """A change to a good resource, and what the rule says about it; nothing means that it passes."""

    policy: str
    kind: str
    state: State
    changes: Mapping[str, Any]
    says: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.policy} {self.state} {self.kind.rsplit(':', 1)[-1]} {title(self.changes) or self.config}"
