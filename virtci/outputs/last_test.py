"""The result of the last test run in an environment, as the pipeline leaves it in the cluster."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from virtci.outputs.contract import Part


class LastTest(Part):
    """What the pipeline knows at the end of a run."""

    at: AwareDatetime = Field(description="When the run ended.")
    result: Literal["passed", "failed", "skipped", "cancelled"]
    passed: int = Field(ge=0)
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0)
    release: str = Field(description="Digest of the release that was tested.")
    url: str = Field(description="Where the run can be seen.")

    def age_hours(self, now: datetime) -> float:
        """How long ago the run ended."""
        return (now - self.at).total_seconds() / 3600
