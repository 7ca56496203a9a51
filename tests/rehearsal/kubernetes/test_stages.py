"""The stages that kwok plays."""

import pytest

from virtci.rehearsal.kubernetes.stages import MESSAGE_BYTES, by_kind, probe

POD, NODE = ("v1", "Pod"), ("v1", "Node")
OTHER = (
    "{spec: {resourceRef: {apiGroup: example.org/v1, kind: Machine}}}\n---\n{spec: {resourceRef: {kind: Pod}}}\n---\n"
)


def test_stages_are_sorted_by_what_they_are_for() -> None:
    found = by_kind({"n1": "{}"}, OTHER)

    assert set(found) == {POD, NODE, ("example.org/v1", "Machine")}
    assert [stage.get("metadata", {}).get("name") for stage in found[POD]][-2:] == [None, "probe-n1"]


def test_a_probe_comes_before_what_other_pods_do() -> None:
    ours = by_kind({})[POD]

    assert probe("n1", "{}")["spec"]["weight"] > max(stage["spec"].get("weight", 0) for stage in ours)


def test_a_document_that_a_kubelet_would_cut_is_refused() -> None:
    probe("n1", "ü" * (MESSAGE_BYTES // 2))

    with pytest.raises(ValueError, match="the probe document of n1 has 4097 bytes"):
        probe("n1", "ü" * (MESSAGE_BYTES // 2) + "x")
