r"""The tags that every taggable resource carries, made and checked in one place.

Azure allows 50 tags, names of 512 and values of 256 characters, and forbids `<>%&\?/` in names (Azure Resource
Manager documentation, tag limits). Names are compared without regard to case there, so ours are lower case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from virtci.core.lifetimes import Lifetime

REQUIRED = ("owner", "system", "environment", "lifetime", "stack", "managed-by")
MANAGED_BY = "virt-ci"
MAXIMUM_TAGS = 50
MAXIMUM_NAME = 512
MAXIMUM_VALUE = 256
FORBIDDEN_IN_NAMES = re.compile(r"[<>%&\\?/]")
WORD = re.compile(r"[a-z0-9][a-z0-9.@-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class TagSet:
    """What all resources of a stack have in common."""

    owner: str
    system: str
    stack: str


def tags(common: TagSet, environment: str, lifetime: Lifetime) -> dict[str, str]:
    """The tags of one resource."""
    return {
        "owner": common.owner,
        "system": common.system,
        "environment": environment,
        "lifetime": lifetime.value,
        "stack": common.stack,
        "managed-by": MANAGED_BY,
    }


def tag_faults(found: Mapping[str, str], allowed: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    """What is wrong with the tags of a resource, a sentence each; empty when nothing is.

    `allowed` narrows the values of a tag. The lifetime is always one of the classes.
    """
    permitted = {"lifetime": tuple(Lifetime), "managed-by": (MANAGED_BY,), **(allowed or {})}
    faults = [f"required tag `{name}` is missing" for name in REQUIRED if name not in found]
    if len(found) > MAXIMUM_TAGS:
        faults.append(f"{len(found)} tags; the platform takes {MAXIMUM_TAGS}")
    for name, value in found.items():
        if len(name) > MAXIMUM_NAME or FORBIDDEN_IN_NAMES.search(name):
            faults.append(f"tag name `{name[:40]}` is not legal: at most {MAXIMUM_NAME} characters, none of <>%&\\?/")
        if len(value) > MAXIMUM_VALUE:
            faults.append(f"tag `{name}` has {len(value)} characters; the platform takes {MAXIMUM_VALUE}")
        elif name in permitted and value not in permitted[name]:
            faults.append(f"tag `{name}` is `{value}`; allowed: {', '.join(permitted[name])}")
        elif name in REQUIRED and not WORD.fullmatch(value):
            faults.append(f"tag `{name}` is `{value}`; use lower case letters, digits, dots and hyphens")
    return faults
