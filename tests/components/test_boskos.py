"""The lease server: rights of its own, a pod without any on its node, and flags that its programs know."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.boskos import Boskos, config_map, deployment, reaper_arguments, server_arguments, service
from tests.policies.harness import Seed, configuration, judge
from tests.real_programs import run
from tests.recorder import Recorder, record
from virtci.cli.kubeconfig import ACCOUNTS
from virtci.core.problems import ProblemsError

IMAGE = "registry.example/rehearsal/boskos@sha256:" + "a" * 64
REAPER = "registry.example/rehearsal/reaper@sha256:" + "b" * 64
POOLS = {
    "azure-westus": ["auto-runner-westus-01", "auto-runner-westus-02"],
    "ec2-us-east-2": ["auto-runner-us-east-2-01"],
}
EXPIRY = timedelta(minutes=30)
RBAC = "kubernetes:rbac.authorization.k8s.io/v1"


@cache
def declared() -> Recorder:
    def program() -> None:
        arguments = {"image": IMAGE, "reaper_image": REAPER, "pools": POOLS, "expiry": EXPIRY}
        Boskos("boskos", arguments)  # type: ignore[arg-type]  # a dictionary of these is one

    return record(program, Recorder())


def pod() -> dict[str, Any]:
    (found,) = declared().all("kubernetes:apps/v1:Deployment")
    spec: dict[str, Any] = found.inputs["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    return next(item for item in pod()["containers"] if item["name"] == name)


def flags(arguments: list[str]) -> list[str]:
    return [argument.partition("=")[0].lstrip("-") for argument in arguments]


def test_the_policies_have_nothing_against_it() -> None:
    seeds = [
        Seed(item.name, item.kind, item.inputs)
        for item in declared().registrations
        if item.kind.startswith("kubernetes:")
    ]

    assert len(seeds) == 12
    assert judge(seeds, configuration("kontain")) == []


def test_images_are_those_of_the_arguments() -> None:
    assert [item["image"] for item in pod()["containers"]] == [IMAGE, REAPER]


def test_definitions_rights_and_pools_come_before_the_server() -> None:
    (server,) = declared().all("kubernetes:apps/v1:Deployment")

    names = {urn.rpartition("::")[2] for urn in server.depends_on}

    assert {
        "boskos-customresourcedefinition-resources.boskos.k8s.io",
        "boskos-rolebinding-boskos",
        "boskos-configmap-boskos",
    } <= names


def test_launchers_get_kubeconfigs_of_an_account_that_is_declared() -> None:
    accounts = [item.inputs["metadata"]["name"] for item in declared().all("kubernetes:core/v1:ServiceAccount")]

    assert ACCOUNTS["launcher"] in accounts


def test_one_server_has_one_queue() -> None:
    (found,) = declared().all("kubernetes:apps/v1:Deployment")

    assert found.inputs["spec"]["replicas"] == 1
    assert found.inputs["spec"]["strategy"] == {"type": "Recreate"}


def test_the_token_is_for_the_server_alone() -> None:
    assert pod()["automountServiceAccountToken"] is False
    assert [mount["name"] for mount in container("boskos")["volumeMounts"]] == ["configuration", "account"]
    assert [mount["name"] for mount in container("reaper")["volumeMounts"]] == ["configuration"]


def test_all_rights_are_in_one_namespace() -> None:
    recorder = declared()

    assert not recorder.all(f"{RBAC}:ClusterRole") + recorder.all(f"{RBAC}:ClusterRoleBinding")
    assert {item.inputs["metadata"]["namespace"] for item in recorder.all(f"{RBAC}:Role")} == {"virt-ci"}


def test_programs_read_the_configuration_that_is_declared() -> None:
    (found,) = declared().all("kubernetes:core/v1:ConfigMap")

    assert list(found.inputs["data"]) == ["config.yaml"]
    assert "--config=/etc/boskos/config.yaml" in container("boskos")["args"]
    assert "--resource-type-from-config=/etc/boskos/config.yaml" in container("reaper")["args"]
    assert [item["type"] for item in yaml.safe_load(found.inputs["data"]["config.yaml"])["resources"]] == sorted(POOLS)


def test_what_is_reaped_is_free_after_the_time_that_was_asked_for() -> None:
    assert {"--expire=1800s", "--target-state=free"} <= set(container("reaper")["args"])


def test_pools_that_the_server_would_not_take_are_refused() -> None:
    with pytest.raises(ProblemsError, match="a slot is in one pool, once"):
        config_map({"one": ["a"], "two": ["a"]})


def test_the_service_leads_to_the_server() -> None:
    (port,) = service()["spec"]["ports"]
    ports = {item["name"]: item["containerPort"] for item in container("boskos")["ports"]}

    assert port["targetPort"] in ports
    assert (
        service()["spec"]["selector"].items()
        <= deployment(IMAGE, REAPER, EXPIRY)["spec"]["template"]["metadata"]["labels"].items()
    )


@pytest.mark.program("boskos")
def test_the_server_knows_its_flags() -> None:
    usage = run("boskos", "--help").stderr

    assert [flag for flag in flags(server_arguments()) if f"  -{flag} " not in usage] == []


@pytest.mark.program("boskos-reaper")
def test_the_reaper_knows_its_flags() -> None:
    usage = run("boskos-reaper", "--help").stderr

    assert [flag for flag in flags(reaper_arguments(EXPIRY)) if f"  -{flag} " not in usage] == []


@pytest.mark.program("boskos-checkconfig")
def test_the_check_of_the_release_takes_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config_map(POOLS)["data"]["config.yaml"])

    judged = run("boskos-checkconfig", f"--config={file}")

    assert judged.returncode == 0, judged.stderr
    file.write_text("resources: [{type: a, names: [b, b]}]")
    assert run("boskos-checkconfig", f"--config={file}").returncode == 1
