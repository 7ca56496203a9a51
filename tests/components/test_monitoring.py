"""Monitoring: configuration for every cluster, a Prometheus where its image is given, and nothing it could misuse."""

import json
from copy import deepcopy
from typing import Any

import yaml

from tests.committed import fleet, readiness_record, record_configuration, stack_file
from tests.recorder import Recorder
from virtci.core.hypervisors import Hypervisor

STACK = "dev-kubevirt"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SERVER = "monitoring-prometheus"


def files(recorder: Recorder) -> dict[str, str]:
    """The files of Prometheus."""
    data: dict[str, str] = recorder.one(CONFIG_MAP, "monitoring-configuration").inputs["data"]
    return data


def pod(recorder: Recorder) -> dict[str, Any]:
    """The pod of Prometheus."""
    spec: dict[str, Any] = recorder.one("kubernetes:apps/v1:Deployment", SERVER).inputs["spec"]["template"]["spec"]
    return spec


def alerts(recorder: Recorder) -> set[str]:
    """The names of the alerts."""
    groups = yaml.safe_load(files(recorder)["rules.yaml"])["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_rules_follow_the_gate_that_is_set_not_the_one_that_was_asked_for() -> None:
    content = deepcopy(stack_file(STACK))
    content["virt-ci:kubevirt"]["whenNotReady"] = "fallback"
    fallen_back = record_configuration(STACK, content, readiness_record(Hypervisor.EMULATION))

    assert "L1vhDeviceErrors" in alerts(fleet(STACK))
    assert "L1vhDeviceErrors" not in alerts(fallen_back)


def test_what_leaves_prometheus_says_where_it_is_from() -> None:
    labels = yaml.safe_load(files(fleet(STACK))["prometheus.yml"])["global"]["external_labels"]

    assert labels == {"environment": "dev", "hypervisor": "mshv"}


def test_the_dashboard_is_json_that_grafana_finds_by_its_label() -> None:
    dashboard = fleet(STACK).one(CONFIG_MAP, "monitoring-dashboard").inputs

    assert json.loads(dashboard["data"]["l1vh.json"])["panels"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_without_an_image_there_are_rules_and_a_dashboard_only() -> None:
    content = deepcopy(stack_file(STACK))
    del content["virt-ci:kubevirt"]["prometheusImage"]
    recorder = record_configuration(STACK, content)

    names = {item.name for item in recorder.registrations if item.name.startswith("monitoring-")}
    assert names == {"monitoring-configuration", "monitoring-dashboard"}


def test_prometheus_runs_as_nobody_on_a_root_that_it_cannot_write() -> None:
    found = pod(fleet(STACK))
    own = found["containers"][0]["securityContext"]

    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["runAsUser"] == 65534
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_prometheus_mounts_what_its_arguments_name() -> None:
    container = pod(fleet(STACK))["containers"][0]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(fleet(STACK))["volumes"]}

    assert "--config.file=/etc/prometheus/prometheus.yml" in container["args"]
    assert volumes[mounts["/etc/prometheus"]]["configMap"] == {"name": "prometheus"}
    assert "--storage.tsdb.path=/prometheus" in container["args"]
    assert "emptyDir" in volumes[mounts["/prometheus"]]
    assert yaml.safe_load(files(fleet(STACK))["prometheus.yml"])["rule_files"] == ["/etc/prometheus/rules.yaml"]


def test_prometheus_looks_for_pods_where_kubevirt_runs_and_nowhere_else() -> None:
    role = fleet(STACK).one("kubernetes:rbac.authorization.k8s.io/v1:Role", "monitoring-role").inputs

    assert role["metadata"]["namespace"] == "kubevirt"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
