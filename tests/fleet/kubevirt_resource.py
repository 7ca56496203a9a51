"""A KubeVirt resource in a cluster that has no operator: what the operator would have written stands there at once."""

from typing import Any

from tests.rehearsal.azure.simulated import until
from virtci.fleet.clouds import unless_absent

GROUP, VERSION, PLURAL = "kubevirt.io", "v1", "kubevirts"
DEFINITION = {
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "kubevirt", "kind": "KubeVirt"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def deploy_kubevirt(api: Any, gates: list[str], phase: str = "Deployed", version: str = "v1.8.2-l1vh.17") -> None:
    """Makes the resource, its namespace and its definition, or changes them."""
    from kubernetes.client import ApiextensionsV1Api, CoreV1Api, CustomObjectsApi

    extensions, objects, core = ApiextensionsV1Api(api), CustomObjectsApi(api), CoreV1Api(api)
    if unless_absent(lambda: extensions.read_custom_resource_definition(f"{PLURAL}.{GROUP}")) is None:
        extensions.create_custom_resource_definition(DEFINITION)
    if unless_absent(lambda: core.read_namespace("kubevirt")) is None:
        core.create_namespace({"metadata": {"name": "kubevirt"}})
    place = (GROUP, VERSION, "kubevirt", PLURAL)
    until(lambda: _is_served(api), seconds=20)
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt"},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": gates}}},
        "status": {"phase": phase, "observedKubeVirtVersion": version},
    }
    remove_kubevirt(api)
    objects.create_namespaced_custom_object(*place, body)


def _is_served(api: Any) -> bool:
    """A definition needs a moment until its objects can be read (404, then 429)."""
    from kubernetes.client import ApiException, CustomObjectsApi

    try:
        CustomObjectsApi(api).list_namespaced_custom_object(GROUP, VERSION, "kubevirt", PLURAL)
    except ApiException as error:
        if error.status not in (404, 429):
            raise
        return False
    return True


def remove_kubevirt(api: Any) -> None:
    """Takes the resource away again."""
    from kubernetes.client import CustomObjectsApi

    objects = CustomObjectsApi(api)
    unless_absent(lambda: objects.delete_namespaced_custom_object(GROUP, VERSION, "kubevirt", PLURAL, "kubevirt"))
