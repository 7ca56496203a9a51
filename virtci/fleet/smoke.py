"""One virtual machine through its life, before a suite of hours begins: made, running, stopped, gone.

It has no disk, so that no image has to be pulled: its firmware finds nothing to boot, and it runs.
Source: kubevirt/kubevirt d923fdb815 (2026-08-22): staging/src/kubevirt.io/api/core/v1/types.go for `runStrategy` and the values of
`printableStatus`, pkg/libvmi/vmi.go for a machine with nothing but memory.
"""

import time
from collections.abc import Callable
from typing import Any

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.problems import Refusal
from virtci.fleet.cluster_api import ClusterApi, ClusterError

MANAGER = "virtci"
MEMORY = "64Mi"
SECONDS = 300
"""For each step. An image of virt-launcher has to be pulled on a new node; the machine itself takes seconds."""


def smoke(api: ClusterApi, name: str, observe: Callable[[str], None], seconds: float = SECONDS) -> float:
    """Takes a machine through its life and returns the seconds that it took. Whatever happens, it is deleted.

    Raises `Refusal` naming the step that did not end, and the state that the machine was in.
    """
    started = time.monotonic()
    try:
        try:
            api.apply(machine(name, "Always"), MANAGER, force=True)
            _reach(api, name, "Running", seconds, observe)
            api.apply(machine(name, "Halted"), MANAGER, force=True)
            _reach(api, name, "Stopped", seconds, observe)
        finally:
            api.delete(machine(name, "Halted"))
        if not api.wait(lambda: _look(api, name) is None, seconds):
            raise _stuck(name, "gone", _look(api, name), seconds)
    except ClusterError as error:
        raise Refusal(
            f"the cluster takes a virtual machine, {NAMESPACE}/{name}",
            f"it said: {error.message}",
            "look at the KubeVirt resource and its operator: kubectl -n kubevirt get kubevirt,pods",
        ) from None
    return time.monotonic() - started


def machine(name: str, strategy: str) -> dict[str, Any]:
    """A virtual machine with nothing but memory."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "runStrategy": strategy,
            "template": {
                "spec": {"domain": {"devices": {}, "memory": {"guest": MEMORY}}, "terminationGracePeriodSeconds": 0}
            },
        },
    }


def _reach(api: ClusterApi, name: str, wanted: str, seconds: float, observe: Callable[[str], None]) -> None:
    if not api.wait(lambda: _status(_look(api, name)) == wanted, seconds):
        raise _stuck(name, wanted, _look(api, name), seconds)
    observe(f"{name}: {wanted}")


def _look(api: ClusterApi, name: str) -> dict[str, Any] | None:
    return api.get("kubevirt.io/v1", "VirtualMachine", NAMESPACE, name)


def _status(found: dict[str, Any] | None) -> str:
    return str(((found or {}).get("status") or {}).get("printableStatus", ""))


def _stuck(name: str, wanted: str, found: dict[str, Any] | None, seconds: float) -> Refusal:
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    said = "; ".join(item["message"] for item in conditions if item.get("message"))
    return Refusal(
        f"virtual machine {NAMESPACE}/{name} is {wanted} within {seconds:g} seconds",
        f"it is {_status(found) or 'without a state'}" + (f": {said}" if said else ""),
        f"kubectl -n {NAMESPACE} describe virtualmachine,virtualmachineinstance,pods",
    )
