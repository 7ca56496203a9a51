"""What a person does with kubectl, and what the clusters of the tests are like."""

import subprocess
from dataclasses import dataclass

from virtci.rehearsal.kubernetes.server import ControlPlane, Node
from virtci.rehearsal.programs import path_of

CAPABLE = Node("capable", kernel="6.6.135.mshv2-1.azl3", memory_mib=32_094, cpus=8, image="Microsoft Azure Linux 3.0")
INCAPABLE = Node("incapable", kernel="6.8.0-1021-azure", memory_mib=15_990, cpus=4, labels={"pool": "plain"})
SILENT = Node("silent", kernel="6.8.0-1021-azure", memory_mib=15_990, cpus=4, unschedulable=True)
DOCUMENTS = {
    "capable": '{"host":"capable","hypervisor":"mshv","reason":""}',
    "incapable": '{"host":"incapable","reason":"{{ no \\"device\\" }}: # it\'s\\n\\u00fc😀 \\\\"}',
}
APPEARED = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: machine-appears}
spec:
  resourceRef: {apiGroup: example.org/v1, kind: Machine}
  selector:
    matchExpressions: [{key: .status.phase, operator: DoesNotExist}]
  next: {statusTemplate: "phase: Appeared"}
"""


@dataclass(frozen=True)
class Hands:
    """What a person does with kubectl, in one namespace of one cluster."""

    plane: ControlPlane
    namespace: str

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What kubectl prints; fails when it does."""
        where = (f"--kubeconfig={self.plane.kubeconfig_file}", f"--namespace={self.namespace}")
        command = (str(path_of("kubectl")), *where, *arguments)
        finished = subprocess.run(command, check=False, capture_output=True, text=True, input=given)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", given=manifest)

    def wait(self, thing: str, condition: str) -> None:
        self.kubectl("wait", thing, f"--for={condition}", "--timeout=60s")

    def get(self, thing: str, path: str) -> str:
        return self.kubectl("get", thing, "-o", f"jsonpath={{{path}}}")
