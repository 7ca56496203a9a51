"""When the provider takes an object for finished: the conditions that it waits for after every create and update.

Source: pulumi/pulumi-kubernetes 94977969d6 (2026-07-01), provider/pkg/await and provider/pkg/metadata/overrides.go. Beyond
the real one, which lets what needs a definition try again, a definition is waited for until it is established.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from virtci.fleet.cluster_api import ClusterApi, Object
from virtci.rehearsal.journal import CloudError

SKIP = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT = "pulumi.com/timeoutSeconds"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
Finished = Callable[[ClusterApi, Object], bool]


class FailedError(Exception):
    """An object says that it will never be finished."""


def annotation(manifest: Mapping[str, Any], name: str) -> str:
    """An annotation of an object, or nothing."""
    return str(((manifest.get("metadata") or {}).get("annotations") or {}).get(name, ""))


def is_finished(api: ClusterApi, live: Object) -> bool:
    """Whether an object is as it should become. Raises `FailedError`, and `CloudError` for a condition unknown here."""
    if annotation(live, SKIP) == "true":
        return True
    if wanted := annotation(live, WAIT_FOR):
        return _has_condition(live, wanted)
    finished = FINISHED.get(live["kind"])
    return finished is None or finished(api, live)


def shown(live: Object) -> str:
    """What an object says about itself, for the error of one that did not finish in time."""
    found = [f"{item['type']}={item['status']} {item.get('message', '')}".strip() for item in _conditions(live)]
    return "; ".join(found) or "it has no conditions"


def _has_condition(live: Object, wanted: str) -> bool:
    word, _, rest = wanted.partition("=")
    if word != "condition":
        raise CloudError(400, "UnknownWait", f"The rehearsal waits for conditions only, not for `{wanted}`.")
    name, _, status = rest.partition("=")
    return any(item["type"] == name and item["status"] == (status or "True") for item in _conditions(live))


def _conditions(live: Object) -> Iterator[Object]:
    yield from (live.get("status") or {}).get("conditions") or ()


def _deployment(_: ClusterApi, live: Object) -> bool:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    done = any(
        item["type"] == "Progressing" and item.get("reason") == "NewReplicaSetAvailable" for item in _conditions(live)
    )
    return (
        done
        and _has_condition(live, "condition=Available")
        and status.get("observedGeneration") == live["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == wanted
    )


def _job(_: ClusterApi, live: Object) -> bool:
    if _has_condition(live, "condition=Failed"):
        raise FailedError(shown(live))
    return _has_condition(live, "condition=Complete")


def _service(api: ClusterApi, live: Object) -> bool:
    """Something answers behind it, unless nothing is meant to."""
    spec = live["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
        return True
    metadata = live["metadata"]
    slices = api.items(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        metadata["namespace"],
        labelSelector=f"kubernetes.io/service-name={metadata['name']}",
    )
    return any(found["conditions"].get("ready") for item in slices for found in item.get("endpoints") or ())


FINISHED: dict[str, Finished] = {
    "CustomResourceDefinition": lambda _, live: _has_condition(live, "condition=Established"),
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": lambda _, live: (live.get("status") or {}).get("phase") == "Active",
    "Service": _service,
}
