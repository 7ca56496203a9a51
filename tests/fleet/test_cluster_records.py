"""What runs leave in a cluster is found by the next one; what cannot be read is said, not raised as nonsense."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fleet.simulated_fleet import SimulatedFleet
from virtci.core.environments import Gate
from virtci.core.problems import Refusal
from virtci.fleet import cluster_records
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_records import KubeVirtState, kubevirt_state
from virtci.outputs.last_test import LastTest

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
RECORD = LastTest.model_validate(
    {
        "at": NOW,
        "result": "passed",
        "passed": 12,
        "failed": 0,
        "skipped": 3,
        "release": DIGEST,
        "url": "https://github.com/x",
    }
)


@pytest.fixture
def api(awake: SimulatedFleet) -> Iterator[Any]:
    assert awake.plane is not None
    with kubernetes(awake.plane.kubeconfig) as found:
        yield found


def config_map(api: Any, name: str) -> dict[str, str]:
    from kubernetes.client import CoreV1Api

    return dict(CoreV1Api(api).read_namespaced_config_map(name, "virt-ci").data)


@pytest.mark.cluster
def test_the_last_test_is_the_one_that_was_left_last(api: Any) -> None:
    assert cluster_records.last_test(api) is None

    cluster_records.leave_last_test(api, RECORD)
    cluster_records.leave_last_test(api, RECORD.model_copy(update={"result": "failed", "failed": 2}))

    found = cluster_records.last_test(api)
    assert found is not None
    assert (found.result, found.failed, found.at, found.release) == ("failed", 2, NOW, DIGEST)


@pytest.mark.cluster
def test_a_record_that_somebody_edited_is_refused_by_name(api: Any) -> None:
    from kubernetes.client import CoreV1Api

    CoreV1Api(api).create_namespaced_config_map(
        "virt-ci", {"metadata": {"name": "last-test"}, "data": {"record.json": "{}"}}
    )

    with pytest.raises(Refusal, match="ConfigMap virt-ci/last-test holds the record of a test run"):
        cluster_records.last_test(api)


@pytest.mark.cluster
def test_a_rotation_is_requested_beside_what_the_machine_noted_there(api: Any) -> None:
    from kubernetes.client import CoreV1Api

    cluster_records.request_rotation(api, NOW)
    CoreV1Api(api).patch_namespaced_config_map("rotation", "virt-ci", {"data": {"handledAt": "2026-01-05T08:00:00Z"}})
    cluster_records.request_rotation(api, NOW.replace(hour=9))

    assert config_map(api, "rotation") == {"requestedAt": "2026-01-05T09:00:00Z", "handledAt": "2026-01-05T08:00:00Z"}


@pytest.mark.cluster
def test_a_cluster_answers_its_credential_and_nobody_else(api: Any, awake: SimulatedFleet) -> None:
    from kubernetes.client import ApiException

    assert cluster_records.answers(api).startswith("v1.")
    text = awake.bound_kubeconfig()
    awake.revoke(*awake.bound_secrets())
    with kubernetes(text) as revoked, pytest.raises(ApiException) as refused:
        cluster_records.answers(revoked)
    assert refused.value.status == 401


@pytest.mark.cluster
def test_a_cluster_without_kubevirt_says_so(api: Any) -> None:
    assert cluster_records.kubevirt(api) is None


@pytest.mark.parametrize(
    ("gates", "gate"),
    [
        ([], Gate.OFF),
        (["HyperVL1VH"], Gate.HYPERV_L1VH),
        (["DataVolumes", "ConfigurableHypervisor"], Gate.CONFIGURABLE_HYPERVISOR),
        (["hypervl1vh"], Gate.OFF),
    ],
)
def test_the_gate_in_effect_is_the_one_that_stands_in_the_resource(gates: list[str], gate: Gate) -> None:
    resource = {
        "spec": {"configuration": {"developerConfiguration": {"featureGates": gates}}},
        "status": {"phase": "Deployed", "observedKubeVirtVersion": "v1.8.2-l1vh.17"},
    }

    assert kubevirt_state(resource) == KubeVirtState("Deployed", "v1.8.2-l1vh.17", gate)


def test_a_kubevirt_that_was_made_a_moment_ago_has_neither_version_nor_phase() -> None:
    assert kubevirt_state({"spec": {}}) == KubeVirtState("", "", Gate.OFF)
