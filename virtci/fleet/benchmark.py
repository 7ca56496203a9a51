"""Runs the benchmark in an environment.

The machines start twice. The first time brings the images to the nodes and does not count: it is scraped before the second
time begins. After that, guests boot and are scraped.
"""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from virtci.core.cluster_objects import NAMESPACE, PROMETHEUS, PROMETHEUS_FILE, PROMETHEUS_PORT
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.fleet.cluster_api import ClusterApi, ClusterError
from virtci.fleet.waiting import Observe, Pace
from virtci.monitoring.benchmark import WORKLOAD_LABEL, Measurement, measure, workload
from virtci.monitoring.scrape import SECONDS as SCRAPE_SECONDS

MACHINES = ("kubevirt.io/v1", "VirtualMachineInstance", NAMESPACE)
MANAGER = "virtci"
DEADLINE = timedelta(minutes=10)
"""For all machines to run, and for all of them to be gone. The image of their disk has to be pulled on every node."""
SETTLE_SECONDS = 120
"""Guests boot, and what they take is scraped more than once."""
Ask = Callable[[str], Mapping[str, Any]]


def run_benchmark(api: ClusterApi, environment: Environment, disk: str, pace: Pace, observe: Observe) -> Measurement:
    """Starts the workload from a container disk and measures what that took; however it ends, the machines are deleted.

    Raises `Refusal` when machines do not run, or nothing was measured.
    """
    try:
        hypervisor = _hypervisor(api, environment)
        try:
            _remove(api, pace)
            _start(api, disk, pace)
            observe(f"{environment}: the images are on the nodes")
            _remove(api, pace)
            pace.sleep(2 * SCRAPE_SECONDS)
            began = pace.now()
            _start(api, disk, pace)
            observe(f"{environment}: the machines run; they are measured in {SETTLE_SECONDS} s")
            pace.sleep(SETTLE_SECONDS)
            seconds = math.ceil((pace.now() - began).total_seconds())
            return measure(environment, hypervisor, _prometheus(api, environment), NAMESPACE, seconds)
        finally:
            _delete(api)
    except ClusterError as error:
        raise Refusal(
            f"the cluster of {environment} takes the virtual machines of the benchmark",
            f"it said: {error.message}",
            "look at the KubeVirt resource and its operator: kubectl -n kubevirt get kubevirt,pods",
        ) from None


def _hypervisor(api: ClusterApi, environment: Environment) -> Hypervisor:
    """What virtual machines run on, as the stack of the cluster's contents told Prometheus; with fallback, not as declared."""
    found = api.get("v1", "ConfigMap", NAMESPACE, PROMETHEUS)
    labels = yaml.safe_load(found["data"][PROMETHEUS_FILE])["global"]["external_labels"] if found else {}
    if labels.get("environment") != environment:
        raise Refusal(
            f"ConfigMap {NAMESPACE}/{PROMETHEUS} is that of {environment}",
            "what machines run on there is not known"
            if found is None
            else f"this cluster is {labels.get('environment')}",
            f"deploy the stack {environment}-kubevirt, or take the kubeconfig of {environment}",
        )
    return Hypervisor(labels["hypervisor"])


def _prometheus(api: ClusterApi, environment: Environment) -> Ask:
    """Instant queries, through the API server."""
    path = f"{api.path('v1', 'Service', NAMESPACE, f'{PROMETHEUS}:{PROMETHEUS_PORT}')}/proxy/api/v1/query"

    def ask(query: str) -> Mapping[str, Any]:
        try:
            return api.request("GET", path, {"query": query})
        except ClusterError as error:
            raise Refusal(
                f"the Prometheus of {environment} answers through the API server",
                f"it said: {error.message}",
                f"set prometheusImage in Pulumi.{environment}-kubevirt.yaml and deploy it; then "
                f"kubectl -n {NAMESPACE} describe deployment,service {PROMETHEUS}",
            ) from None

    return ask


def _start(api: ClusterApi, disk: str, pace: Pace) -> None:
    for machine in workload(disk, NAMESPACE):
        api.create(machine, MANAGER)
    if pace.until(lambda: None if _not_running(api) else True, DEADLINE) is None:
        left = _not_running(api)
        raise Refusal(
            f"the virtual machines of the benchmark run within {DEADLINE.total_seconds() / 60:g} minutes",
            f"{len(left)} do not, among them {_told(left[0])}" if left else "the last one was too late",
            f"kubectl -n {NAMESPACE} describe virtualmachineinstance,pods",
        )


def _not_running(api: ClusterApi) -> list[dict[str, Any]]:
    return [item for item in _machines(api) if (item.get("status") or {}).get("phase") != "Running"]


def _machines(api: ClusterApi) -> list[dict[str, Any]]:
    return api.items(*MACHINES, labelSelector=f"{WORKLOAD_LABEL}=true")


def _told(machine: Mapping[str, Any]) -> str:
    status = machine.get("status") or {}
    said = "; ".join(item["message"] for item in status.get("conditions") or [] if item.get("message"))
    return f"{machine['metadata']['name']}: {status.get('phase') or 'no phase'}" + (f", {said}" if said else "")


def _delete(api: ClusterApi) -> None:
    api.request("DELETE", api.path(*MACHINES), {"labelSelector": f"{WORKLOAD_LABEL}=true"})


def _remove(api: ClusterApi, pace: Pace) -> None:
    """Deletes the machines and waits until they are gone; an earlier benchmark may have left some."""
    _delete(api)
    if pace.until(lambda: None if _machines(api) else True, DEADLINE) is None:
        raise Refusal(
            f"deleted machines of the benchmark are gone within {DEADLINE.total_seconds() / 60:g} minutes",
            f"there are still {len(_machines(api))}",
            f"kubectl -n {NAMESPACE} describe virtualmachineinstance,pods",
        )
