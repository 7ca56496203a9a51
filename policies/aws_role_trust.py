"""Roles in AWS: who may assume them is named: a service of AWS, or one environment of one repository on GitHub."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.documents import listed, statements
from policies.kinds import AWS_ROLE
from virtci.core.inventory import Resource
from virtci.core.oidc import ISSUER, environment_of

HOST = ISSUER.removeprefix("https://")
AUDIENCE = "sts.amazonaws.com"
BY_TOKEN = "sts:AssumeRoleWithWebIdentity"  # noqa: S105  an action, not a token
FIX = "take it from virtci.core.runners.aws"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects roles from other repositories, branches, accounts and token issuers."""
    text = at(resource.properties, "assumeRolePolicy")
    found = statements(text)
    if found is None:
        yield Fault(f"assumeRolePolicy is {shown(text)}", "who may assume a role is known before it is made", FIX)
        return
    for statement in found:
        if statement.get("Effect") != "Deny":
            yield from _judge(statement, settings)


def _judge(statement: Mapping[str, Any], settings: Settings) -> Iterator[Fault]:
    principal = statement.get("Principal")
    kinds = dict(principal) if isinstance(principal, Mapping) else {}
    services, federated = listed(kinds.pop("Service", ())), listed(kinds.pop("Federated", ()))
    if kinds or not (services or federated):
        yield Fault(f"it trusts {shown(principal)}", "only services of AWS and GitHub's tokens are trusted", FIX)
    for service in services:
        if service not in settings["services"]:
            yield Fault(f"it trusts {shown(service)}", f"one of {', '.join(settings['services'])}", FIX)
    for issuer in federated:
        if not issuer.endswith(f":oidc-provider/{HOST}"):
            yield Fault(f"it trusts {shown(issuer)}", "trust GitHub only", FIX)
    if federated:
        yield from _judge_token(statement)


def _judge_token(statement: Mapping[str, Any]) -> Iterator[Fault]:
    conditions = statement.get("Condition")
    exact = conditions.get("StringEquals", {}) if isinstance(conditions, Mapping) else {}
    audiences, subjects = listed(exact.get(f"{HOST}:aud", ())), listed(exact.get(f"{HOST}:sub", ()))
    if listed(statement.get("Action", ())) != [BY_TOKEN]:
        yield Fault(f"it allows {shown(statement.get('Action'))}", f"a token is good for {BY_TOKEN}", FIX)
    if audiences != [AUDIENCE]:
        yield Fault(f"its audiences are {audiences}", f"the token was asked for {AUDIENCE}", FIX)
    bound = {environment_of(subject) for subject in subjects}
    if len(bound) != 1 or None in bound:
        rule = "its subjects are bound to exactly one environment, word by word, in `StringEquals`"
        yield Fault(f"its subjects are {subjects}", rule, "build them with virtci.core.oidc.subjects()")


POLICY = resource_policy(
    "aws-role-trust",
    "Roles in AWS trust named services, or one GitHub environment by subject and audience.",
    (AWS_ROLE,),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AWS_60", "CKV_AWS_61", "CKV_AWS_393"),
    settings={
        "services": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["ec2.amazonaws.com", "scheduler.amazonaws.com"],
        }
    },
)
