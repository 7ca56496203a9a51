"""How kwok plays the kubelets of a rehearsed cluster: its stages, those of a caller, and one for each probed node."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Stage = dict[str, Any]
Kind = tuple[str, str]
"""Group with version ("v1" for the core), and kind."""

PROBE_LABELS = {"virt-ci/probe": "true"}
PROBE_NAMESPACE = "virt-ci"
MESSAGE_BYTES = 4_096
"""A kubelet cuts the message of a container here (Kubernetes: "Determine the Reason for Pod Failure", 2026-11)."""
KUBELET: tuple[Kind, ...] = (("v1", "Node"), ("v1", "Pod"))
OURS = Path(__file__).with_name("stages.yaml")


def by_kind(probes: Mapping[str, str], more: str = "") -> dict[Kind, list[Stage]]:
    """All stages by what they are for: ours, one for each probed node, and those of a text of the caller.

    A caller's stage with a weight comes before ours where both fit; a stage of equal weight is drawn by lot.
    """
    documents = [*yaml.safe_load_all(OURS.read_text()), *yaml.safe_load_all(more)]
    found: dict[Kind, list[Stage]] = {kind: [] for kind in KUBELET}
    for stage in (*filter(None, documents), *(probe(node, document) for node, document in probes.items())):
        reference = stage["spec"]["resourceRef"]
        found.setdefault((reference.get("apiGroup", "v1"), reference["kind"]), []).append(stage)
    return found


def probe(node: str, document: str) -> Stage:
    """A probe pod on a node ends with the node's probe document as its message."""
    size = len(document.encode())
    if size > MESSAGE_BYTES:
        raise ValueError(f"the probe document of {node} has {size} bytes; a kubelet cuts it after {MESSAGE_BYTES}")
    # A JSON text is a string literal of Go's templates as well, and its Quote makes it one of YAML.
    literal = json.dumps(document, ensure_ascii=False)
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"probe-{node}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "weight": 1,
            "selector": {
                "matchLabels": PROBE_LABELS,
                "matchExpressions": [
                    {"key": ".metadata.namespace", "operator": "In", "values": [PROBE_NAMESPACE]},
                    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                    {"key": ".spec.nodeName", "operator": "In", "values": [node]},
                    {"key": ".status.phase", "operator": "In", "values": ["Pending"]},
                ],
            },
            "next": {"statusTemplate": ENDED.replace("MESSAGE", literal)},
        },
    }


ENDED = """\
{{ $now := Now }}
phase: Succeeded
startTime: {{ $now | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
      message: {{ MESSAGE | Quote }}
{{ end }}
"""
