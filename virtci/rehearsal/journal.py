"""What happened in a rehearsal: every call to a simulated cloud, and the faults that were put in its way."""

import fnmatch
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from virtci.rehearsal.clock import SimulatedClock


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call, as the cloud saw it. Bodies are left out: they can hold secrets."""

    at: float
    cloud: str
    operation: str
    target: str
    status: int
    code: str = ""


class CloudError(Exception):
    """A refusal in the words of the service: HTTP status, error code, message."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


class Fault(BaseModel):
    """One planned fault: the calls that it meets, and what they get instead of an answer.

    `operation` and `target` are shell patterns on what the call log shows, for example `PUT` and
    `*/virtualMachines/kubevirt-dev-*`. The fault meets matching calls from number `first` on, `times` of
    them, or all of them for `seconds` of simulated time from that call on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cloud: str = "*"
    operation: str = "*"
    target: str = "*"
    first: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    status: int = Field(default=500, ge=400, le=599)
    code: str = "InternalServerError"
    message: str = "The server encountered an internal error."
    after: bool = Field(default=False, description="The operation is carried out, but its answer is lost.")


class FaultPlan(BaseModel):
    """The faults of one rehearsal, read from a JSON file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass
class Journal:
    """The complete call log and the fault plan, shared by all clouds of a rehearsal."""

    clock: SimulatedClock
    plan: FaultPlan = field(default_factory=FaultPlan)
    calls: list[Call] = field(default_factory=list)
    _met: dict[int, tuple[int, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, cloud: str, operation: str, target: str, status: int, code: str = "") -> None:
        """Adds one call to the log."""
        with self._lock:
            self.calls.append(
                Call(at=self.clock.seconds, cloud=cloud, operation=operation, target=target, status=status, code=code)
            )

    def fault(self, cloud: str, operation: str, target: str, after: bool = False) -> None:
        """Raises the planned fault that meets this call, if there is one."""
        for number, fault in enumerate(self.plan.faults):
            if fault.after is after and self._meets(number, fault, cloud, operation, target):
                self.record(cloud, operation, target, fault.status, fault.code)
                raise CloudError(fault.status, fault.code, fault.message)

    def _meets(self, number: int, fault: Fault, cloud: str, operation: str, target: str) -> bool:
        seen = ((fault.cloud, cloud), (fault.operation, operation), (fault.target, target))
        if not all(fnmatch.fnmatch(value, pattern) for pattern, value in seen):
            return False
        with self._lock:
            count, since = self._met.get(number, (0, 0.0))
            count += 1
            if count == fault.first:
                since = self.clock.seconds
            self._met[number] = (count, since)
        if count < fault.first:
            return False
        if fault.seconds is not None:
            return self.clock.seconds - since < fault.seconds
        return count < fault.first + fault.times

    def write(self, path: Path) -> None:
        """Writes the log as JSON lines."""
        path.write_text("".join(json.dumps(asdict(call)) + "\n" for call in self.calls))


def calls_of(calls: Sequence[Call], cloud: str, operation: str = "*") -> list[Call]:
    """The calls to one cloud, for assertions and reports."""
    return [call for call in calls if call.cloud == cloud and fnmatch.fnmatch(call.operation, operation)]
