"""New credentials for an environment: its kubeconfig without downtime, its SSH key with a rebuilt machine."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from virtci.core.cluster_objects import NAMESPACE, ROTATION
from virtci.core.environments import Environment
from virtci.core.problems import Refusal
from virtci.fleet.clouds import Clouds, kubernetes
from virtci.fleet.cluster_records import answers, request_rotation
from virtci.fleet.kubeconfigs import Kubeconfig, fetch, look
from virtci.fleet.troubles import asking
from virtci.fleet.waiting import Observe, Pace
from virtci.outputs.contract import MachinePart
from virtci.outputs.fleet import Target

PUBLISHED_DEADLINE = timedelta(minutes=15)
"""The machine looks for requests every minute; the rest is for a slow vault."""
GRACE = timedelta(minutes=10)
"""How long the machine lets the old credential live after the new one is in the vault."""
REVOKED_DEADLINE = GRACE + timedelta(minutes=10)
PRIVATE_KEY = "tls:index/privateKey:PrivateKey"


def rotate_kubeconfig(
    clouds: Clouds, target: Target, pace: Pace, observe: Observe, *, revoked: bool = False
) -> Kubeconfig:
    """Has a machine publish a new kubeconfig, and returns it once it works; the old one works on for `GRACE`.

    With `revoked`, waits until the cluster refuses the old one. Raises `Refusal` for a managed cluster, and when no
    new one came; then the old one is still the right one.
    """
    if not isinstance(target.compute, MachinePart):
        raise Refusal(
            f"`{target.environment}` runs on a machine", nothing_to_rotate(target), "nothing needs to be done"
        )
    old = fetch(clouds, target, pace.now())
    with asking(f"the cluster of `{target.environment}`"), kubernetes(old.text) as api:
        request_rotation(api, pace.now())
    observe(f"asked {target.compute.name} for a new kubeconfig ({NAMESPACE}/{ROTATION})")
    new = _published(clouds, target, old, pace)
    observe(f"the new kubeconfig works; the old one does for {GRACE.total_seconds() / 60:g} more minutes")
    if revoked:
        _revoked(target, old, pace)
        observe("the cluster refuses the old kubeconfig")
    return new


def nothing_to_rotate(target: Target) -> str:
    """Why the kubeconfig of a managed cluster cannot be rotated."""
    return (
        f"the kubeconfig of `{target.environment}` holds no credential: it asks Entra for a token of whoever uses it, good "
        f"for about an hour. There is nothing to rotate. To shut somebody out, take away the role on cluster "
        f"{target.compute.name}: az role assignment list --scope {target.compute.resource_id}"
    )


def _published(clouds: Clouds, target: Target, old: Kubeconfig, pace: Pace) -> Kubeconfig:
    refused: Refusal | None = None

    def question() -> Kubeconfig | None:
        nonlocal refused
        try:
            found = look(clouds, target)
            if found.version == old.version:
                return None
            with asking(f"the cluster of `{target.environment}`"), kubernetes(found.text) as api:
                answers(api)
        except Refusal as again:
            refused = again
            return None
        return found

    new = pace.until(question, PUBLISHED_DEADLINE)
    if new is None:
        came = f"the new one does not work: {refused.rule}, {refused.consequence}" if refused else "none came"
        raise Refusal(
            f"{target.compute.name} publishes a kubeconfig within {PUBLISHED_DEADLINE.total_seconds() / 60:g} minutes",
            f"{came}; the old one still works",
            f"on the machine: journalctl -u 'virt-ci-*'; or let it boot again: virtci park {target.environment}; "
            f"virtci wake {target.environment}",
        )
    return new


def _revoked(target: Target, old: Kubeconfig, pace: Pace) -> None:
    def question() -> bool | None:
        return True if _is_refused(old, target) else None

    if pace.until(question, REVOKED_DEADLINE) is None:
        raise Refusal(
            f"the cluster of `{target.environment}` refuses the old kubeconfig",
            "it still works: whoever has it can use it until it expires",
            f"delete its Secret: kubectl -n {NAMESPACE} get secrets; keep the newest deployer-<time>, delete the others",
        )


def _is_refused(kubeconfig: Kubeconfig, target: Target) -> bool:
    from kubernetes.client import ApiException

    with asking(f"the cluster of `{target.environment}`"), kubernetes(kubeconfig.text) as api:
        try:
            answers(api)
        except ApiException as error:
            if error.status == 401:
                return True
            raise
    return False


def ssh_key_urn(resources: Iterable[Mapping[str, Any]], environment: Environment) -> str:
    """The declared SSH key of an environment's machine, in the resources of its stack's state.

    Raises `Refusal` where there is none: the nodes of a managed cluster have no key of ours.
    """
    for resource in resources:
        if resource["type"] == PRIVATE_KEY and resource["urn"].rsplit("::", 1)[-1] == f"{environment}-machine-ssh-key":
            return str(resource["urn"])
    raise Refusal(
        f"the stack has declared an SSH key for the machine of `{environment}`",
        "there is nothing to rotate",
        "a managed cluster has no key of ours; otherwise look at the stack: pulumi stack export",
    )


def replacing(stack: str, urn: str, policies: Sequence[str]) -> tuple[list[str], list[str]]:
    """The engine's arguments for the preview that a person reads, and for the update that does what it showed."""
    chosen = ["--stack", stack, "--replace", urn, *policies]
    return ["preview", "--diff", *chosen], ["up", "--yes", "--skip-preview", *chosen]
