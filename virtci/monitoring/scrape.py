"""The configuration of a Prometheus that scrapes KubeVirt inside its cluster.

KubeVirt marks the pods of its components with the label `prometheus.kubevirt.io`, and serves their metrics over HTTPS
on a port named `metrics` with certificates of its own making, which it renews. Its own ServiceMonitor does not verify
them either (kubevirt/kubevirt pkg/virt-operator/resource/generate/components/prometheus.go d923fdb815, 2026-08-22).
"""

from typing import Any

import yaml

from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor

JOB = "kubevirt"
NAMESPACE = "kubevirt"
SECONDS = 30
"""Between two scrapes."""
RULES_FILE = "/etc/prometheus/rules.yaml"
POD = "__meta_kubernetes_pod"


def scrape_config(environment: Environment, hypervisor: Hypervisor, rules_file: str = RULES_FILE) -> str:
    """The text of `prometheus.yml`; everything that leaves this Prometheus says which environment it is from."""
    return str(yaml.safe_dump(_config(environment, hypervisor, rules_file), sort_keys=False, width=120))


def _config(environment: Environment, hypervisor: Hypervisor, rules_file: str) -> dict[str, Any]:
    return {
        "global": {
            "scrape_interval": f"{SECONDS}s",
            "evaluation_interval": f"{SECONDS}s",
            "external_labels": {"environment": environment.value, "hypervisor": hypervisor.value},
        },
        "rule_files": [rules_file],
        "scrape_configs": [
            {
                "job_name": JOB,
                "scheme": "https",
                "tls_config": {"insecure_skip_verify": True},
                "honor_labels": True,
                "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [NAMESPACE]}}],
                "relabel_configs": [
                    _keep(f"{POD}_label_prometheus_kubevirt_io", "true"),
                    _keep(f"{POD}_container_port_name", "metrics"),
                    _copy(f"{POD}_label_kubevirt_io", "component"),
                    _copy(f"{POD}_name", "pod"),
                    _copy(f"{POD}_node_name", "node"),
                ],
            }
        ],
    }


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _copy(label: str, target: str) -> dict[str, Any]:
    return {"source_labels": [label], "target_label": target, "action": "replace"}
