"""Virtual machines in a rehearsed cluster: KubeVirt's controllers do not run there, so their part is played."""

from pathlib import Path

import yaml

from virtci.fleet.cluster_api import ClusterApi

MANAGER = "virt-operator"
STAGES = Path(__file__).with_name("virtual_machine_stages.yaml").read_text()
"""For `virtci.rehearsal.kubernetes.server.Cluster.stages`."""
_DEFINITION = Path(__file__).with_name("virtual_machines.yaml")


def define_virtual_machines(api: ClusterApi) -> None:
    """Makes the kind known to a cluster, as virt-operator does. Raises `ClusterError`."""
    api.apply(yaml.safe_load(_DEFINITION.read_text()), MANAGER)
