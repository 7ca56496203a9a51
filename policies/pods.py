"""The pods of a Deployment and their containers, as the rules read them."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.common import at, each
from virtci.core.inventory import Resource

POD = "spec.template.spec"
GROUPS = ("initContainers", "containers", "ephemeralContainers")


def pod_of(resource: Resource) -> Any:
    """The specification of the pods; `UNKNOWN` where it is not known, empty where there is none."""
    found = at(resource.properties, POD)
    return {} if found is None else found


def containers_of(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Every container with what to call it; groups that are not known have one that is not known."""
    pod = pod_of(resource)
    for group in GROUPS:
        for index, container in enumerate(each({"pod": pod}, f"pod.{group}")):
            name = at(container, "name") if isinstance(container, Mapping) else None
            yield (f"container {name}: " if isinstance(name, str) else f"{group}[{index}]."), container
