"""What this project leaves in a cluster for others to read: last test, rotation request; and what it reads there.

Every function takes the client of `virtci.fleet.clouds.kubernetes` and raises what that client raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from virtci.core.cluster_objects import LAST_TEST, NAMESPACE, READINESS, RECORD, REQUESTED_AT, ROTATION
from virtci.core.environments import Gate
from virtci.core.problems import Refusal
from virtci.core.readiness import Record, parse_record
from virtci.fleet.clouds import KUBERNETES_TIMEOUT, unless_absent
from virtci.outputs.last_test import LastTest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

FIELD_MANAGER = "virtci"
APPLY = "application/apply-patch+yaml"
KUBEVIRT = "kubevirt"


@dataclass(frozen=True, slots=True)
class KubeVirtState:
    """What the KubeVirt resource of a cluster says."""

    phase: str
    version: str
    gate: Gate


def last_test(api: "ApiClient") -> LastTest | None:
    """The result of the last test run, if there was one. Raises `Refusal` for a record that cannot be read."""
    text = _config_map(api, LAST_TEST).get(RECORD)
    if text is None:
        return None
    try:
        return LastTest.model_validate_json(text)
    except ValidationError:
        raise Refusal(
            f"ConfigMap {NAMESPACE}/{LAST_TEST} holds the record of a test run",
            "what was tested last is not known",
            "the next run of the pipeline writes it anew",
        ) from None


def leave_last_test(api: "ApiClient", record: LastTest) -> None:
    """Leaves the result of a test run; the one before is gone."""
    _apply(api, LAST_TEST, {RECORD: record.model_dump_json(by_alias=True)})


def readiness(api: "ApiClient") -> Record | None:
    """The probes of the nodes, if they were ever taken. Raises `Refusal` for a record that cannot be read."""
    text = _config_map(api, READINESS).get(RECORD)
    return None if text is None else parse_record(text)


def request_rotation(api: "ApiClient", now: datetime) -> None:
    """Asks the machine of the cluster for a new kubeconfig."""
    _apply(api, ROTATION, {REQUESTED_AT: f"{now:%Y-%m-%dT%H:%M:%SZ}"})


def kubevirt(api: "ApiClient") -> KubeVirtState | None:
    """The KubeVirt of the cluster, if it was deployed."""
    from kubernetes.client import CustomObjectsApi

    objects = CustomObjectsApi(api)
    found = unless_absent(
        lambda: objects.list_namespaced_custom_object(
            "kubevirt.io", "v1", KUBEVIRT, "kubevirts", _request_timeout=KUBERNETES_TIMEOUT
        )
    )
    items = (found or {}).get("items") or []
    return kubevirt_state(items[0]) if items else None


def kubevirt_state(resource: Mapping[str, Any]) -> KubeVirtState:
    """The state that a KubeVirt resource tells of; a gate counts once it stands in the resource."""
    status, spec = resource.get("status") or {}, resource.get("spec") or {}
    developer = (spec.get("configuration") or {}).get("developerConfiguration") or {}
    gates = set(developer.get("featureGates") or [])
    gate = next((gate for gate in Gate if gate is not Gate.OFF and gate.value in gates), Gate.OFF)
    version = status.get("observedKubeVirtVersion") or status.get("targetKubeVirtVersion") or ""
    return KubeVirtState(str(status.get("phase") or ""), str(version), gate)


def answers(api: "ApiClient") -> str:
    """The version of a cluster that answers this credential: a request that an anonymous caller may not make."""
    from kubernetes.client import AuthenticationV1Api, VersionApi

    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    AuthenticationV1Api(api).create_self_subject_review(review, _request_timeout=KUBERNETES_TIMEOUT)
    return str(VersionApi(api).get_code(_request_timeout=KUBERNETES_TIMEOUT).git_version)


def _config_map(api: "ApiClient", name: str) -> dict[str, str]:
    from kubernetes.client import CoreV1Api

    core = CoreV1Api(api)
    found = unless_absent(lambda: core.read_namespaced_config_map(name, NAMESPACE, _request_timeout=KUBERNETES_TIMEOUT))
    return dict(found.data or {}) if found else {}


def _apply(api: "ApiClient", name: str, data: Mapping[str, str]) -> None:
    from kubernetes.client import CoreV1Api

    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}
    CoreV1Api(api).patch_namespaced_config_map(
        name,
        NAMESPACE,
        body,
        field_manager=FIELD_MANAGER,
        force=True,
        _content_type=APPLY,
        _request_timeout=KUBERNETES_TIMEOUT,
    )
