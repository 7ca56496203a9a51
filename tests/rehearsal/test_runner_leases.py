"""Leases that many launchers share, from the stack to the launcher.

The real engine deploys the lease server into a real cluster, and a launcher that is made of the stack's outputs leases from
the real Boskos through the API server.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fleet.runners.houses import eventually, granted, refused
from tests.pipeline.test_benchmark import own_address
from tests.rehearsal.stage import Stage, stage
from tests.rehearsal.test_runner_stacks import in_azure
from tests.settings.test_runner_faults import with_server
from virtci.core.cluster_objects import NAMESPACE
from virtci.core.problems import ProblemsError
from virtci.core.runners.boskos import CONFIG_FILE, NAME
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.runners import build
from virtci.fleet.runners.boskos import BoskosLeases
from virtci.outputs.check import contract_faults, read
from virtci.outputs.contract import Outputs
from virtci.rehearsal.boskos import Boskos, deployed_boskos
from virtci.settings.load import from_file

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.program("boskos")]

STACK = "kontain"
ENTRY = "10.90.0.0/24"
MERGE = "application/merge-patch+json"


def shared(config: dict[str, Any]) -> None:
    """The Azure half alone, with three units, leases that a server keeps, and people who are let in."""
    in_azure(config)
    config["virt-ci:runners"]["azure"]["regions"]["westus"]["entry"] = ENTRY
    config["virt-ci:runners"]["leases"] = with_server()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("leases"), (STACK,), edits={STACK: shared}) as on:
        preview = on.workspace.preview(STACK)
        assert preview.succeeded, preview.errors
        assert preview.mandatory == []
        on.up(STACK)
        yield on
        destroyed = on.workspace.destroy(STACK)
        assert destroyed.succeeded, destroyed.errors
        assert on.world.remaining_in_clusters() == []


@pytest.fixture(scope="module")
def outputs(deployed: Stage) -> Outputs:
    found = deployed.workspace.outputs(STACK)
    assert contract_faults(found) == []
    return read(found)


@pytest.fixture
def server(deployed: Stage) -> Iterator[Boskos]:
    """The program with the account and the configuration of the stack, in the place of the container of its pod."""
    plane = deployed.world.clusters[STACK]
    with kubernetes(plane.kubeconfig) as client:
        found = ClusterApi(client).get("v1", "ConfigMap", NAMESPACE, NAME)
    assert found
    resources = yaml.safe_load(found["data"][CONFIG_FILE])["resources"]
    with deployed_boskos(plane, {item["type"]: item["names"] for item in resources}) as running:
        yield running


@pytest.fixture
def way_in(server: Boskos) -> None:
    """The service leads to the program: a ready pod with its labels has the address and the port."""
    address = own_address()
    if not address:
        pytest.skip("this machine has no address but loopback, and the API server leads nobody there")
    with kubernetes(server.plane.kubeconfig) as client:
        api = ClusterApi(client)
        (declared,) = eventually(lambda: api.items("v1", "Pod", NAMESPACE))
        set_status(api, declared, {"conditions": [{"type": "Ready", "status": "False"}]})
        port = [{"name": "api", "containerPort": server.port, "protocol": "TCP"}]
        pod: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "beside", "namespace": NAMESPACE, "labels": service(api)["spec"]["selector"]},
            "spec": {
                "nodeName": declared["spec"]["nodeName"],
                "serviceAccountName": NAME,
                "containers": [{"name": NAME, "image": "example.org/boskos", "ports": port}],
            },
        }
        api.create(pod, "tests")
        eventually(lambda: addresses(api))
        set_status(api, pod, {"podIP": address, "podIPs": [{"ip": address}]})
        eventually(lambda: addresses(api) == [address])


def service(api: ClusterApi) -> dict[str, Any]:
    found = api.get("v1", "Service", NAMESPACE, NAME)
    assert found
    return found


def set_status(api: ClusterApi, pod: Mapping[str, Any], status: dict[str, Any]) -> None:
    path = api.path("v1", "Pod", NAMESPACE, pod["metadata"]["name"])
    api.request("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE)


def addresses(api: ClusterApi) -> list[str]:
    """Where the service leads."""
    found = api.get("v1", "Endpoints", NAMESPACE, NAME) or {}
    return [item["ip"] for subset in found.get("subsets", ()) for item in subset.get("addresses", ())]


@pytest.fixture
def desk(
    deployed: Stage, outputs: Outputs, server: Boskos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> build.Desk:
    """A launcher with the kubeconfig of the launchers' account; nobody listens at its clouds."""
    assert outputs.runners
    assert outputs.runners.azure
    (tmp_path / "launcher").write_text(server.launcher)
    nobody = "https://127.0.0.1:9"
    clouds = {"resourceManager": nobody, "blobs": {outputs.runners.azure.state.account: nobody}}
    (tmp_path / "clouds.json").write_text(json.dumps(clouds))
    for name, value in {
        "KUBECONFIG": str(tmp_path / "launcher"),
        "VIRTCI_CLOUDS": str(tmp_path / "clouds.json"),
        "PULUMI_BACKEND_URL": "azblob://s?storage_account=a",
    }.items():
        monkeypatch.setenv(name, value)
    settings = from_file(deployed.workspace.project / f"Pulumi.{STACK}.yaml", True)
    return build.desk(outputs, settings, (), lambda _, __: None)


def test_the_stack_says_where_leases_are_and_stays_as_it_is(deployed: Stage, outputs: Outputs) -> None:
    assert outputs.runners
    assert outputs.runners.azure
    assert outputs.runners.azure.regions["westus"].entry == ENTRY
    leases = outputs.runners.leases
    assert (leases.store, leases.cluster) == ("boskos", "test-kvm")
    assert leases.path == "/api/v1/namespaces/virt-ci/services/boskos:api/proxy"
    assert deployed.workspace.preview(STACK, policies=False).changes == {}


@pytest.mark.usefixtures("way_in")
def test_a_launcher_leases_the_slots_of_the_stack_through_the_api_server(desk: build.Desk, outputs: Outputs) -> None:
    assert outputs.runners
    assert outputs.runners.azure
    store, pool = desk.launcher.leases, "azure-westus"
    assert isinstance(store, BoskosLeases)

    leases = [granted(store, f"run-azure-{number}-1-1", pool) for number in (1, 2, 3)]
    waiting = refused(store, "run-azure-4-1-1", pool)

    slots = [lease.slots[0] for lease in leases]
    assert sorted(slots) == sorted(outputs.runners.azure.regions["westus"].slots)
    assert waiting.reason == "0 of 3 units are free, 1 asked for"
    store.heartbeat("run-azure-1-1-1")
    store.release("run-azure-2-1-1")
    assert [lease.holder for lease in store.leases()] == ["run-azure-1-1-1", "run-azure-3-1-1"]
    eventually(lambda: granted(store, "run-azure-4-1-1", pool).slots == leases[1].slots)


def test_a_launcher_without_a_kubeconfig_is_told_for_which_cluster(
    desk: build.Desk, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outputs.runners
    monkeypatch.delenv("KUBECONFIG")

    with pytest.raises(ProblemsError) as refusal:
        build.lease_store(outputs.runners, desk.launcher.objects)

    assert "virtci kubeconfig test-kvm" in str(refusal.value)
