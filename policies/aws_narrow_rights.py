"""Rights in AWS: named actions on named things, and no way to more rights."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, is_filled, resource_policy, shown
from policies.documents import Statement, listed, statements
from policies.kinds import AWS_RIGHTS, AWS_ROLE
from virtci.core.inventory import UNKNOWN, Resource

EVERYWHERE = re.compile(r"ec2:Describe\w+|ssmmessages:(Create|Open)(Control|Data)Channel|servicequotas:GetServiceQuota")
"""Actions that know no resource, or only tell what there is."""
RAISING = re.compile(r"(iam|sts|organizations|kms):", re.IGNORECASE)
PASS_ROLE = "iam:PassRole"  # noqa: S105  an action, not a password
FIX = "list what is needed, as virtci.core.runners.aws does"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a role that is administrator by another name.

    A document with the ids of what is made together with it is not known in a preview; it is judged in the deployment,
    before the role gets it.
    """
    if resource.kind == AWS_ROLE:
        for prop in ("managedPolicyArns", "inlinePolicies"):
            if is_filled(at(resource.properties, prop)) and each(resource.properties, prop):
                yield Fault(f"{prop} is there", "rights of a role are declared as RolePolicy, where they are read", FIX)
        return
    text = at(resource.properties, "policy")
    if text is UNKNOWN:
        return
    found = statements(text)
    if found is None:
        yield Fault("policy is no policy document", "what a role may do can be read", FIX)
    for statement in found or ():
        if statement.get("Effect") != "Deny":
            yield from _judge(statement)


def _judge(statement: Statement) -> Iterator[Fault]:
    name = statement.get("Sid") or "a statement"
    for prop in ("NotAction", "NotResource"):
        if prop in statement:
            yield Fault(f"{name} has {prop}", "what is allowed is listed, not what is not", FIX)
    resources = listed(statement.get("Resource"))
    for action in listed(statement.get("Action")):
        if "*" in action or "?" in action:
            yield Fault(f"{name} allows {shown(action)}", "actions are listed one by one", FIX)
        elif "*" in resources and not EVERYWHERE.fullmatch(action):
            yield Fault(f"{name} allows {shown(action)} on everything", "what can be narrowed to things is", FIX)
        if RAISING.match(action) and not (action == PASS_ROLE and _passes_to(statement)):
            rule = f"no role of ours changes rights; {PASS_ROLE} says to which service, in `StringEquals`"
            yield Fault(f"{name} allows {shown(action)}", rule, FIX)


def _passes_to(statement: Statement) -> bool:
    conditions: Any = statement.get("Condition")
    exact = conditions.get("StringEquals", {}) if isinstance(conditions, Mapping) else {}
    return bool(listed(exact.get("iam:PassedToService"))) and "*" not in listed(statement.get("Resource"))


POLICY = resource_policy(
    "aws-narrow-rights",
    "Roles in AWS have named actions on named things and no way to more rights.",
    (AWS_RIGHTS, AWS_ROLE),
    faults,
    Severity.CRITICAL,
    covers=(
        "CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_107", "CKV_AWS_108", "CKV_AWS_109", "CKV_AWS_110", "CKV_AWS_111", "CKV_AWS_274",
    ),
)  # fmt: skip
