"""Where rules of the simulated AWS stand: before moto carries an operation out, and after it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from virtci.rehearsal.aws.wire import Asked

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

Before = Callable[["Aws", Asked], Asked]
"""Gives the call as it is to be carried out. Raises `CloudError` to refuse it."""
After = Callable[["Aws", Asked], None]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Rules by `service:Operation`."""

    before: Mapping[str, Before] = field(default_factory=dict)
    after: Mapping[str, After] = field(default_factory=dict)
