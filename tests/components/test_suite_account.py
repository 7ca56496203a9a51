"""The account of the tests: what it may do, and what it must never be able to."""

from typing import Any

import pytest

from components.suite_account import RULES, confinement
from tests.committed import CLUSTER_STACKS, fleet

ESCALATING = {"bind", "escalate", "impersonate"}


def verbs(group: str, resource: str) -> set[str]:
    """What the account may do to a resource."""
    return {verb for of, resources, allowed in RULES if of == group and resource in resources for verb in allowed}


def test_nothing_is_allowed_by_a_wildcard() -> None:
    assert not [rule for rule in RULES if any("*" in part for part in (rule[0], *rule[1], *rule[2]))]


def test_nobody_raises_his_own_rights() -> None:
    assert not [rule for rule in RULES if ESCALATING & set(rule[2])]


def test_no_secret_is_read_by_anybody() -> None:
    assert not verbs("", "secrets") & {"get", "list", "watch"}


def test_the_kubevirt_resource_is_read_and_never_changed() -> None:
    assert verbs("kubevirt.io", "kubevirts") == {"get", "list", "watch"}


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [
        ("kubevirt.io", "virtualmachineinstances", "create"),
        ("kubevirt.io", "virtualmachines", "deletecollection"),
        ("subresources.kubevirt.io", "virtualmachineinstances/console", "get"),
        ("subresources.kubevirt.io", "virtualmachines/start", "update"),
        ("", "namespaces", "create"),
        ("", "nodes", "patch"),
        ("", "pods/exec", "create"),
        ("rbac.authorization.k8s.io", "clusterrolebindings", "create"),
    ],
)
def test_the_suite_can_do_what_it_does_first(group: str, resource: str, verb: str) -> None:
    assert verb in verbs(group, resource)


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_no_token_and_no_secret_is_declared(stack: str) -> None:
    recorder = fleet(stack)
    kinds = {item.inputs.get("kind") for item in recorder.registrations if item.kind.startswith("kubernetes:")}

    assert "Secret" not in kinds
    assert recorder.one("kubernetes:core/v1:ServiceAccount", "tests-serviceaccount").inputs == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "tests", "namespace": "virt-ci"},
        "automountServiceAccountToken": False,
    }


def test_the_namespace_is_patched_because_the_machine_has_made_it_already() -> None:
    patch = fleet("dev-kubevirt").one("kubernetes:core/v1:NamespacePatch")

    assert patch.inputs["metadata"]["name"] == "virt-ci"


def test_the_admission_policy_is_for_the_account_only() -> None:
    policy: Any = confinement()[0]

    assert policy["spec"]["matchConditions"] == [
        {"name": "tests", "expression": "request.userInfo.username == 'system:serviceaccount:virt-ci:tests'"}
    ]
    assert policy["spec"]["failurePolicy"] == "Fail"
