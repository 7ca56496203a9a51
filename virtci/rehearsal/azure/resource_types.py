"""What a row of the table of resource types holds; the rows are in the `rows_*` modules."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from virtci.rehearsal.azure import models

GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"


@dataclass(frozen=True, slots=True)
class NameRule:
    """Which names the service takes, and how it refuses others."""

    pattern: str
    text: str
    code: str = "InvalidResourceName"
    status: int = 400


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long the service takes."""

    create: float
    update: float
    delete: float


@dataclass(frozen=True, slots=True)
class InUse:
    """How the service refuses to delete what others refer to."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One resource type of Azure and of the azure-native SDK."""

    kind: str
    path: str
    module: str
    model: str
    name: NameRule
    seconds: Seconds
    request_model: str = ""
    replaced: tuple[str, ...] = ()
    hooks: str = ""
    in_use: InUse | None = None
    stateful: bool = True  # whether the body carries `properties.provisioningState`
    singleton: bool = False  # whether it comes and goes with its parent: the provider only sets it, and sets it back

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The SDK names of the path parameters, the resource's own name last."""
        found = re.findall(r"\{(\w+)\}", self.path)
        return tuple(name for name in found if name != "subscriptionId")

    @cached_property
    def arm(self) -> str:
        """The ARM type, for example `Microsoft.Compute/virtualMachines`."""
        if "/providers/" not in self.path:
            return "Microsoft.Resources/resourceGroups"
        namespace, *rest = self.path.rsplit("/providers/", 1)[1].split("/")
        return "/".join([namespace, *rest[::2]])

    @property
    def response(self) -> models.Shape:
        """The shape of what the service answers."""
        return models.shape(self.module, self.model)

    @property
    def request(self) -> models.Shape:
        """The shape of what the service takes."""
        return models.shape(self.module, self.request_model or self.model)

    def target(self, subscription: str, parameters: Mapping[str, object]) -> str:
        """The ARM id for the values of the path parameters."""
        values = {"subscriptionId": subscription} | {name: str(value) for name, value in parameters.items()}
        return re.sub(r"/?\{(\w+)\}", lambda match: "/" + values[match.group(1)].strip("/"), self.path)

    def parameters_of(self, resource_id: str) -> dict[str, str]:
        """The values of the path parameters in an ARM id."""
        pattern = re.sub(r"/?\{(\w+)\}", lambda found: f"/(?P<{found.group(1)}>[^/].*?|)", self.path)
        found = re.fullmatch(pattern, resource_id, re.IGNORECASE)
        values = found.groupdict() if found else {}
        return {
            name: f"/{values[name]}" if "/" in values[name] else values[name]
            for name in values.keys() & {*self.parameters}
        }

    def replaces(self, path: str) -> bool:
        """Whether a change at an SDK path can only be made by a new resource."""
        fixed = (*self.parameters, "location", *self.replaced)
        return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in fixed)
