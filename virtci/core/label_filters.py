"""The ginkgo label filter of an environment: what its focus selects, less what its cluster cannot run.

Sources: kubevirt/kubevirt automation/test.sh d923fdb815 (2026-08-22), the lane without a sig and the lane of one node;
kaizentm/kubevirt .github/workflows/deploy.yaml 6f4be053f1 (2025-10-21), the filter around the focus. Labels are in
`virtci/data/test-labels.json`.
"""

import re
from dataclasses import dataclass

from virtci.core.environments import ROWS, Environment
from virtci.core.problems import Problem, nearest
from virtci.core.tables import table

LABEL_SET = r"[^&|!(),/:]+:[^&|!(),/{]*(?:\{[^}]*\})?"
"""`key: operation {values}` of ginkgo; like regular expressions left to its parser."""

TOKEN = re.compile(rf"&&|\|\||[!(),]|(?P<pattern>/[^/]*/|{LABEL_SET})|(?P<label>[^&|!(),/:]+)")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Labels whose tests a cluster cannot run, and why."""

    labels: tuple[str, ...]
    why: str


EVERYWHERE = (
    Exclusion(("flake-check",), "belongs to a lane of its own"),
    Exclusion(("QUARANTINE",), "known to be unstable"),
    Exclusion(("PERIODIC",), "belongs to periodic lanes"),
    Exclusion(("requireHugepages2Mi", "requireHugepages1Gi"), "the nodes set no huge pages aside"),
    Exclusion(("SwapTest",), "the nodes have no swap"),
    Exclusion(("sig-storage", "storage-req"), "the clusters have no CDI, without which these tests fail"),
    Exclusion(("Multus", "Macvtap", "netCustomBindingPlugins"), "the clusters have one plain pod network"),
    Exclusion(("requires-dual-stack-cluster",), "the pod network has one address family"),
    Exclusion(("SRIOV", "GPU", "VGPU", "DRA-GPU"), "the nodes have no such device"),
    Exclusion(("SEV", "SEVES", "SEVSNP", "secure-execution"), "the nodes cannot encrypt the memory of guests"),
    Exclusion(("Windows", "Sysprep"), "need an image of Windows"),
    Exclusion(("requires-arm64", "requires-s390x", "requires-cross-arch-emulation"), "the nodes are amd64"),
    Exclusion(("OpenShift",), "need OpenShift"),
)
ONE_NODE = (
    Exclusion(
        ("requires-two-schedulable-nodes", "requires-three-schedulable-nodes", "requires-two-worker-nodes-with-cpu-manager"),
        "need a second node, as migrations do",
    ),
    Exclusion(("multi-replica",), "KubeVirt's components have one replica"),
)  # fmt: skip
SEVERAL_NODES = (Exclusion(("single-replica",), "KubeVirt's components have several replicas"),)


def exclusions(environment: Environment) -> tuple[Exclusion, ...]:
    """What an environment leaves out of its scope; a machine is a cluster of one node."""
    return EVERYWHERE + (ONE_NODE if ROWS[environment].compute == "machine" else SEVERAL_NODES)


def label_filter(environment: Environment, focus: str) -> str:
    """The filter for `--label-filter`.

    An empty focus stays empty: it would otherwise turn into all tests.
    """
    if not focus.strip():
        return ""
    left_out = [f"!({', '.join(item.labels)})" for item in exclusions(environment)]
    return " && ".join([focus, *left_out])


def label_problems(text: str, key: str = "label filter") -> list[Problem]:
    """What is wrong with a filter as far as it shows without ginkgo's parser: nothing in it, or an unknown label."""
    tokens = list(TOKEN.finditer(text))
    words = [word for token in tokens if (word := (token["label"] or "").strip())]
    if not words and not any(token["pattern"] for token in tokens):
        return [
            Problem(
                key,
                text,
                "a label filter names at least one label",
                "ginkgo takes an empty filter for `all tests`, and a half-empty one for a syntax error",
                "use the filter of an environment: `virtci/core/label_filters.py` builds it",
            )
        ]
    known = {label.lower() for label in known_labels()}
    return [
        Problem(
            key,
            word,
            "a label is one that tests carry",
            "ginkgo takes any word: the filter selects other tests than meant, and says nothing",
            f"{nearest(word, known_labels())} A new label needs an entry in virtci/data/test-labels.json",
        )
        for word in dict.fromkeys(words)
        if word.lower() not in known
    ]


def known_labels() -> frozenset[str]:
    """The labels that a filter may name."""
    found = table("test-labels")
    return frozenset(found["labels"] + found["elsewhere"] + found["filters_only"] + found["own"])
