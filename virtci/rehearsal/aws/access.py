"""What policies of a role allow, with their conditions, which moto leaves out.

Source: AWS IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators": a denial goes
before an allowance, a condition on a key that the request does not have is not met, unless it is `…IfExists` or `Null`.
Only the operators that our documents use are known; another one is an error, never an allowance.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

Context = Mapping[str, str | Sequence[str]]
"""Condition keys of a request; one that it does not have is absent."""
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda given, wanted: given == wanted,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda given, wanted: given.lower() == wanted.lower(),
    "NumericEquals": lambda given, wanted: float(given) == float(wanted),
}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a call has to be allowed: an action on a resource."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on resource: {self.resource}"


def refused(aws: "Aws", role: str, needs: Iterable[Need]) -> Need | None:
    """The first thing that a role is not allowed, or nothing."""
    documents = rights_of(aws, role)
    return next((need for need in needs if not is_allowed(documents, need)), None)


def rights_of(aws: "Aws", role: str) -> list[Any]:
    """The policies of a role."""
    known = {item.name: item for item in aws.backend("iam", "aws").roles.values()}
    if role not in known:
        return []
    found = known[role]
    texts = [*found.policies.values(), *(policy.document for policy in found.managed_policies.values())]
    return [json.loads(text) for text in texts]


def may_assume(aws: "Aws", role_arn: str, service: str, context: Context) -> bool:
    """Whether a role trusts a service of AWS, under the conditions that it names."""
    for role in aws.backend("iam", "aws").roles.values():
        if role.arn == role_arn:
            statements = _listed(json.loads(role.assume_role_policy_document)["Statement"])
            return any(
                statement["Effect"] == "Allow"
                and service in _listed(statement["Principal"].get("Service", ()))
                and _is_met(statement.get("Condition", {}), context)
                for statement in statements
            )
    return False


def is_allowed(documents: Iterable[Any], need: Need) -> bool:
    """Whether some statement allows it, and none denies it."""
    found = {
        statement["Effect"]
        for document in documents
        for statement in _listed(document["Statement"])
        if _is_about(statement, need) and _is_met(statement.get("Condition", {}), need.context)
    }
    return found == {"Allow"}


def _is_about(statement: Mapping[str, Any], need: Need) -> bool:
    actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
    return any(fnmatchcase(need.action.lower(), item.lower()) for item in actions) and any(
        fnmatchcase(need.resource, item) for item in resources
    )


def _is_met(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _holds(operator, context.get(key), [str(item) for item in _listed(wanted)])
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, given: str | Sequence[str] | None, wanted: Sequence[str]) -> bool:
    if operator == "Null":
        return (given is None) == (wanted[0].lower() == "true")
    for_all = operator.startswith("ForAllValues:")
    compare = OPERATORS[operator.removeprefix("ForAllValues:").removesuffix("IfExists")]
    if given is None:
        return for_all or operator.endswith("IfExists")
    values = [given] if isinstance(given, str) else given
    met = [any(compare(value, item) for item in wanted) for value in values]
    return all(met) if for_all else any(met)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]
