"""The committed stack files as plain values, and changes to them."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from virtci.core.problems import Problem, ProblemsError
from virtci.settings.load import load, own_keys
from virtci.settings.models import Settings

ROOT = Path(__file__).resolve().parents[2]
AZURE = ("hub", "dev", "test")
CLUSTERS = ("dev-kubevirt", "test-mshv-kubevirt", "test-kvm-kubevirt", "test-emulation-kubevirt")
RUNNERS = ("kontain",)
STACKS = AZURE + CLUSTERS + RUNNERS
ABSENT = object()
"""Stands for a key that is taken out."""

REAL = {
    "subscription": "6f3f9a44-1c1f-4a58-9d3e-2b6a3c1d0e5f",
    "tenant": "0b7b4b55-e6bd-4871-bd56-7972f44e3a16",
    "repository": "octo-lab/kubevirt",
}
CHECKSUM = "5a6b" * 16
IMAGE = "/subscriptions/9b5d67e7-ca39-4471-8a8e-ddf8cc14a64a/resourceGroups/l1vh/providers/Microsoft.Compute/galleries/g/images/i"


@cache
def _committed(stack: str) -> dict[str, Any]:
    return own_keys(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"])


def values(stack: str, **changes: Any) -> dict[str, Any]:
    """The values of a committed stack file, with changes by dotted path."""
    return changed(deepcopy(_committed(stack)), changes)


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The values with others at dotted paths; `ABSENT` takes a key out."""
    for path, value in changes.items():
        node = content
        *way, last = path.split(".")
        for step in way:
            node = node.setdefault(step, {})
        if value is ABSENT:
            del node[last]
        else:
            node[last] = value
    return content


def real_values(stack: str) -> dict[str, Any]:
    """The values of a committed stack file with everything in it that only a rehearsal may use replaced."""
    content = values(stack, **REAL)
    if "budget" in content:
        content["budget"]["contacts"] = ["costs@octo-lab.example"]
    if "hub" in content:
        changed(content, {"hub.infrastructureRepository": "octo-lab/virt-ci", "hub.protection.reviewers": ["octo-cat"]})
        content["hub"]["runners"]["agent"]["sha256"] = CHECKSUM
    if "kubevirt" in content:
        image = f"ghcr.io/octo-lab/image@sha256:{CHECKSUM}"
        content["kubevirt"] |= {"release": "release", "probeImage": image, "prometheusImage": image}
    if "runners" in content:
        content["runners"]["agent"]["sha256"] = CHECKSUM
        content["runners"]["aws"]["account"] = "123456789012"
    for environment in content.get("environments", {}).values():
        environment["protection"]["reviewers"] = ["octo-cat"]
        if "machine" in environment:
            environment["machine"]["image"] = IMAGE
            environment["machine"]["k3s"] |= {"binarySha256": CHECKSUM, "installScriptSha256": CHECKSUM}
    return content


def read(content: dict[str, Any], rehearsal: bool = True) -> Settings:
    return load(content, "Pulumi.test.yaml", rehearsal)


def problems(content: dict[str, Any], rehearsal: bool = True) -> dict[str, Problem]:
    """The problems by key; empty when there is none."""
    found = list(_reported(content, rehearsal))
    by_key = {problem.key: problem for problem in found}
    assert len(by_key) == len(found), "a key is reported twice"
    return by_key


def _reported(content: dict[str, Any], rehearsal: bool) -> tuple[Problem, ...]:
    try:
        read(content, rehearsal)
    except ProblemsError as error:
        return error.problems
    return ()
