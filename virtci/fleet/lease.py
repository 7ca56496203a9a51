"""Who uses an environment right now: a Lease in its cluster, held by one pipeline run at a time.

A lease that was not renewed for as long as it is good for is stale and can be taken: a killed run blocks nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from virtci.core.cluster_objects import LEASE, NAMESPACE
from virtci.core.problems import Refusal
from virtci.fleet.clouds import KUBERNETES_TIMEOUT, unless_absent

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

SECONDS = 3600
"""How long a lease is good for without a renewal."""
LEASES = ("coordination.k8s.io", "v1", NAMESPACE, "leases")
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a lease, since when, and until when it is good without a renewal."""

    holder: str
    since: datetime
    until: datetime


def held(api: "ApiClient", now: datetime) -> Held | None:
    """Who has the lease; nobody when it was released or went stale."""
    lease = _read(api)
    return None if lease is None else _holder(lease, now)


def acquire(api: "ApiClient", holder: str, now: datetime, seconds: int = SECONDS) -> None:
    """Takes the lease for a holder, or renews it. Raises `Refusal` naming whoever else has it."""
    for _ in range(2):
        lease = _read(api)
        found = None if lease is None else _holder(lease, now)
        if found and found.holder != holder:
            raise _taken(found)
        since = found.since if found else now
        if _written(api, lease, _spec(holder, since, now, seconds)):
            return
    raise Refusal(
        f"the lease {NAMESPACE}/{LEASE} can be taken",
        "two runs would use the environment at once; another one was quicker, twice",
        "wait for the other run to end, then run again",
    )


def renew(api: "ApiClient", holder: str, now: datetime, seconds: int = SECONDS) -> None:
    """Keeps a lease from going stale. Raises `Refusal` when the holder has it no longer."""
    found = held(api, now)
    if found is None or found.holder != holder:
        who = f"`{found.holder}` has it since {found.since:%Y-%m-%d %H:%M} UTC" if found else "nobody has it"
        raise Refusal(
            f"`{holder}` has the lease {NAMESPACE}/{LEASE}; {who}",
            "another run may be using the environment",
            "stop, and begin the run again",
        )
    acquire(api, holder, now, seconds)


def release(api: "ApiClient", holder: str, now: datetime) -> bool:
    """Gives the lease back; whether it was this holder's."""
    lease = _read(api)
    found = None if lease is None else _holder(lease, now)
    if lease is None or found is None or found.holder != holder:
        return False
    return _written(api, lease, {"holderIdentity": "", "leaseDurationSeconds": 1})


def _taken(found: Held) -> Refusal:
    return Refusal(
        f"one run at a time uses the environment; `{found.holder}` has it since {found.since:%Y-%m-%d %H:%M} UTC",
        "two runs would change one cluster under each other's tests",
        f"wait for it to end; if it is dead, its lease ends by itself at {found.until:%Y-%m-%d %H:%M} UTC",
    )


def _spec(holder: str, since: datetime, now: datetime, seconds: int) -> dict[str, Any]:
    return {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "acquireTime": since.strftime(TIME),
        "renewTime": now.strftime(TIME),
    }


def _holder(lease: Mapping[str, Any], now: datetime) -> Held | None:
    spec = lease.get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return None
    renewed = datetime.fromisoformat(spec["renewTime"])
    until = renewed + timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    since = datetime.fromisoformat(spec.get("acquireTime") or spec["renewTime"])
    return None if until <= now else Held(spec["holderIdentity"], since, until)


def _read(api: "ApiClient") -> Mapping[str, Any] | None:
    """The lease as plain values: the client's own model cannot write a time without a fraction of a second."""
    from kubernetes.client import CustomObjectsApi

    objects = CustomObjectsApi(api)
    found: Mapping[str, Any] | None = unless_absent(
        lambda: objects.get_namespaced_custom_object(*LEASES, LEASE, _request_timeout=KUBERNETES_TIMEOUT)
    )
    return found


def _written(api: "ApiClient", old: Mapping[str, Any] | None, spec: dict[str, Any]) -> bool:
    """Whether the write came first; the version that was read must still be the present one."""
    from kubernetes.client import ApiException, CustomObjectsApi

    metadata = {"name": LEASE, **({"resourceVersion": old["metadata"]["resourceVersion"]} if old else {})}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    objects = CustomObjectsApi(api)
    try:
        if old:
            objects.replace_namespaced_custom_object(*LEASES, LEASE, body, _request_timeout=KUBERNETES_TIMEOUT)
        else:
            _ensure_namespace(api)
            objects.create_namespaced_custom_object(*LEASES, body, _request_timeout=KUBERNETES_TIMEOUT)
    except ApiException as error:
        if error.status == 409:
            return False
        raise
    return True


def _ensure_namespace(api: "ApiClient") -> None:
    """The first run in a new managed cluster comes before anything of ours is deployed there."""
    from kubernetes.client import ApiException, CoreV1Api

    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    try:
        CoreV1Api(api).create_namespace(body, _request_timeout=KUBERNETES_TIMEOUT)
    except ApiException as error:
        if error.status != 409:
            raise
