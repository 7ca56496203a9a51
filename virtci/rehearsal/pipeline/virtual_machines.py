"""Virtual machines in a rehearsed cluster: KubeVirt's controllers do not run there, so their part is played."""

from pathlib import Path

import yaml

from virtci.fleet.cluster_api import ClusterApi

MANAGER = "virt-operator"
STAGES = Path(__file__).with_name("virtual_machine_stages.yaml").read_text()
"""For `virtci.rehearsal.kubernetes.server.Cluster.stages`."""
_DEFINITIONS = Path(__file__).with_name("virtual_machines.yaml")


def define_virtual_machines(api: ClusterApi) -> None:
    """Makes the kinds known to a cluster, as virt-operator does. Raises `ClusterError`."""
    for definition in yaml.safe_load_all(_DEFINITIONS.read_text()):
        api.apply(definition, MANAGER)
