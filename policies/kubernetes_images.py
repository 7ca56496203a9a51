"""Clusters: images by digest."""

import re
from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy, shown
from policies.kinds import DEPLOYMENT
from policies.pods import containers_of
from virtci.core.inventory import Resource
from virtci.core.manifests import IMAGE_VARIABLE

BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
RULE = "an image is named by its digest"
FIX = "write registry/name@sha256:..., as the build printed it"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from a tag that is moved between the tests of one environment and those of the next.

    The images that an operator starts are named in its variables, so these are read as well.
    """
    registries = tuple(settings["registries"])
    for where, container in containers_of(resource):
        image = at(container, "image")
        found = [("image", image)]
        found += [
            (str(at(variable, "name")), at(variable, "value"))
            for variable in each(container, "env")
            if IMAGE_VARIABLE.fullmatch(str(at(variable, "name")))
        ]
        for what, value in found:
            if not isinstance(value, str) or not BY_DIGEST.fullmatch(value):
                yield Fault(f"{where}{what} is {shown(value)}", RULE, FIX)
            elif registries and not value.startswith(registries):
                yield Fault(
                    f"{where}{what} is {shown(value)}", f"images come from {', '.join(registries)}", "push it there"
                )


POLICY = resource_policy(
    "kubernetes-images",
    "Every image in a cluster is named by its digest.",
    (DEPLOYMENT,),
    faults,
    Severity.HIGH,
    covers=("CKV_K8S_14", "CKV_K8S_43"),
    settings={"registries": {"type": "array", "items": {"type": "string"}, "default": []}},
)
