"""The simulated Pulumi provider for AWS: the real client against the simulated AWS, a row for each resource type."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.aws import (
    arguments,
    rows_compute,
    rows_firewall,
    rows_identity,
    rows_network,
    rows_parameters,
    rows_schedules,
)
from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row
from virtci.rehearsal.bridge import Change, Failure, HalfMadeError, Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError

ROWS: dict[str, Row] = {
    **rows_network.ROWS,
    **rows_firewall.ROWS,
    **rows_compute.ROWS,
    **rows_identity.ROWS,
    **rows_schedules.ROWS,
    **rows_parameters.ROWS,
}


@dataclass
class AwsProvider:
    """Implements `bridge.Provider`; `url` is the simulated AWS, whatever the configuration says."""

    url: str
    clock: SimulatedClock
    package: str = "aws"
    delete_before_replace: bool = False
    _region: str = ""
    _calls: Calls = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._calls = Calls(self.url, self.clock)

    def configure(self, variables: Mapping[str, str]) -> None:
        """Keeps the default region."""
        self._region = variables.get("region", "")

    def check(self, kind: str, inputs: Values) -> list[Failure]:
        """Refuses what the SDK does not take, and what the rehearsal does not carry out."""
        row = _row(kind)
        found = arguments.failures(kind, inputs)
        taken = arguments.names(kind)
        return found + [
            Failure(name, "the rehearsal does not carry it out; add it to virtci/rehearsal/aws")
            for name in sorted(inputs.keys() & taken - row.knows)
            if inputs[name] is not None
        ]

    def settable(self, kind: str, outputs: Values) -> Values:
        """The outputs that are inputs as well."""
        return {name: value for name, value in outputs.items() if name in _row(kind).knows}

    def replaces(self, kind: str, change: Change) -> bool:
        """As the table says: a property, or a part of one."""
        parts = change.path.replace("[", ".").split(".")
        return any(".".join(parts[: length + 1]) in _row(kind).replaces for length in range(len(parts)))

    def preview(self, kind: str, inputs: Values, state: Values | None) -> Values:
        """Inputs and defaults are known; what the service makes up is not, before there is a state."""
        row = _row(kind)
        known = {name: state[name] for name in row.computed if name in state} if state else {}
        shown = {**dict.fromkeys(row.computed, UNKNOWN), **known, **self._complete(row, inputs)}
        return shown | ({"tagsAll": inputs.get("tags", {})} if "tagsAll" in row.computed else {})

    def create(self, kind: str, inputs: Values) -> tuple[str, Values]:
        """Makes it, finishes it, and reads what came out."""
        row, complete = _row(kind), self._complete(_row(kind), inputs)
        region = self._region_of(complete)
        made = row.create(self._calls, region, complete)
        try:
            row.finish(self._calls, region, made, complete, {})
            return made, self._outputs(row, region, made, complete)
        except CloudError as error:
            text = f'Status={error.status} Code="{error.code}" Message="{error.message}"'
            raise HalfMadeError(made, complete, text) from None

    def read(self, kind: str, resource_id: str, inputs: Values, state: Values) -> Values | None:
        """The live outputs, or nothing."""
        row = _row(kind)
        region = self._region_of(state or inputs)
        live = row.read(self._calls, region, resource_id, {**row.defaults, **inputs, **state})
        return None if live is None else {**row.defaults, **inputs, **_regional(row, region), **_there(live)}

    def update(self, kind: str, resource_id: str, inputs: Values, state: Values) -> Values:
        """Changes it and reads what came out."""
        row, complete = _row(kind), self._complete(_row(kind), inputs)
        region = self._region_of(complete)
        row.update(self._calls, region, resource_id, complete, state)
        return self._outputs(row, region, resource_id, complete)

    def delete(self, kind: str, resource_id: str, state: Values) -> None:
        """Deletes it; what is gone already is a success."""
        _row(kind).delete(self._calls, self._region_of(state), resource_id, state)

    def invoke(self, token: str, _arguments: Values) -> Values:
        """The rehearsal needs no function of this provider."""
        raise CloudError(404, "UnknownFunction", f"The rehearsal does not know the function {token}.")

    def _outputs(self, row: Row, region: str, resource_id: str, complete: Values) -> Values:
        live = row.read(self._calls, region, resource_id, complete)
        if live is None:
            raise CloudError(404, "ResourceNotFound", f"couldn't find resource {resource_id}")
        return {**complete, **_there(live)}

    def _complete(self, row: Row, inputs: Values) -> Values:
        given = {name: value for name, value in inputs.items() if value is not None and not name.startswith("__")}
        return {**row.defaults, **_regional(row, self._region_of(given)), **given}

    def _region_of(self, values: Values) -> str:
        return str(values.get("region") or self._region)


def _row(kind: str) -> Row:
    if kind not in ROWS:
        raise CloudError(404, "UnknownResource", f"The rehearsal does not know the resource type {kind}.")
    return ROWS[kind]


def _regional(row: Row, region: str) -> Values:
    return {"region": region} if "region" in row.knows else {}


def _there(live: Values) -> Values:
    return {name: value for name, value in live.items() if value is not None}
