"""The simulated Pulumi provider for GitHub: the real resource types, over HTTP, against the simulated API."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import Change, Failure, Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.client import Client, Settings
from virtci.rehearsal.github.inputs import KINDS, failures, replaces
from virtci.rehearsal.github.lookups import LOOKUPS
from virtci.rehearsal.github.resources import RESOURCES, delete, parts_of, repository_id
from virtci.rehearsal.journal import CloudError, Journal

# What the service shows for a protection that is not set.
NEUTRAL: tuple[Any, ...] = (None, 0, [], {}, "")

# The simulated API knows no token from another, but as GitHub itself it wants one.
ANY_TOKEN = "rehearsal"  # noqa: S105  opens nothing


@dataclass
class GitHub:
    """Implements `bridge.Provider`; `url` is the simulated API, whatever the configuration calls it.

    `token` and `owner` stand for what the real provider takes from its process environment when the
    configuration names none. The calls write themselves to the journal, on the side of the API.
    """

    url: str
    clock: SimulatedClock
    journal: Journal
    token: str = field(default=ANY_TOKEN, repr=False)
    owner: str = ""
    package: str = "github"
    delete_before_replace: bool = False
    _client: Client | None = field(default=None, repr=False)

    def configure(self, variables: Mapping[str, str]) -> None:
        """Takes owner, token, base URL and the delays between requests."""
        self._client = self._connected(variables)

    def check(self, kind: str, inputs: Values) -> list[Failure]:
        """Refuses unknown, missing and ill-typed inputs."""
        return list(failures(_known(kind), inputs))

    def replaces(self, kind: str, change: Change) -> bool:
        """Follows the Terraform provider's table; a renamed repository counts as another one."""
        return replaces(_known(kind), change)

    def preview(self, kind: str, inputs: Values, state: Values | None) -> Values:
        """Inputs and defaults are known; what the service computes is not, before there is a state."""
        computed = KINDS[_known(kind)].computed
        known = {name: state[name] for name in computed if name in state} if state else {}
        return {**dict.fromkeys(computed, UNKNOWN), **known, **self._complete(kind, inputs)}

    def create(self, kind: str, inputs: Values) -> tuple[str, Values]:
        """Creates over the API."""
        return RESOURCES[_known(kind)].create(self._calls, self._complete(kind, inputs))

    def read(self, kind: str, resource_id: str, inputs: Values, state: Values) -> Values | None:
        """The live outputs; what says the same as the inputs is written as the inputs write it."""
        row = KINDS[_known(kind)]
        parts = parts_of(resource_id)
        live = RESOURCES[kind].read(self._calls, parts, state)
        if live is None:
            return None
        shown = live.keys() if not state else inputs.keys() | row.defaults.keys()
        kept = {name: state[name] for name in row.computed if name in state}
        names = {"repository": parts[0], "environment": parts[1]}
        names |= {name: parts[2] for name in ("secretName", "variableName") if name in row.inputs}
        return {**names, **inputs, **kept, **_settled(live, inputs, shown)}

    def update(self, kind: str, resource_id: str, inputs: Values, state: Values) -> Values:
        """Updates over the API."""
        row = KINDS[_known(kind)]
        complete = self._complete(kind, inputs)
        changed = RESOURCES[kind].update(self._calls, parts_of(resource_id), complete)
        if "repositoryId" not in state:
            changed["repositoryId"] = repository_id(self._calls, inputs["repository"])
        return {**{name: state[name] for name in row.computed if name in state}, **complete, **changed}

    def delete(self, kind: str, resource_id: str, _state: Values) -> None:
        """Deletes over the API."""
        delete(self._calls, _known(kind), parts_of(resource_id))

    def invoke(self, token: str, arguments: Values) -> Values:
        """Looks up a user, a repository or a team."""
        if token not in LOOKUPS:
            raise CloudError(404, "UnknownFunction", f"The rehearsal does not know the function {token}.")
        allowed, function = LOOKUPS[token]
        unknown = sorted(arguments.keys() - allowed)
        if unknown:
            raise CloudError(400, "InvalidArgument", f"{token} does not take {', '.join(unknown)}.")
        return function(self._calls, arguments)

    def settable(self, kind: str, outputs: Values) -> Values:
        """The outputs that are inputs as well."""
        inputs = KINDS[_known(kind)].inputs
        return {name: value for name, value in outputs.items() if name in inputs}

    @property
    def _calls(self) -> Client:
        if self._client is None:
            self._client = self._connected({})
        return self._client

    def _connected(self, variables: Mapping[str, str]) -> Client:
        environment = {key: value for key, value in (("token", self.token), ("owner", self.owner)) if value}
        return Client(self.url, self.clock, Settings.of({**environment, **variables}))

    def _complete(self, kind: str, inputs: Values) -> Values:
        given = {name: value for name, value in inputs.items() if value is not None}
        return {**KINDS[kind].defaults, **given}


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise CloudError(404, "UnknownResource", f"The rehearsal does not know the resource type {kind}.")
    return kind


def _settled(live: Values, inputs: Values, shown: Set[str]) -> Values:
    found: Values = {}
    for name, value in live.items():
        if name in inputs and _canonical(inputs[name]) == _canonical(value):
            found[name] = inputs[name]
        elif name in shown or value not in NEUTRAL:
            found[name] = value
    return found


def _canonical(value: Any) -> Any:
    """The value without what the service does not tell apart: the order of lists, and empty parts."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items() if item not in NEUTRAL or item is False}
    if isinstance(value, list):
        return sorted((item for item in map(_canonical, value) if item not in NEUTRAL), key=repr)
    return value
