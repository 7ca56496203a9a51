"""Roles, profiles and trusted issuers in the simulated AWS."""

import json
from typing import Any

import pytest

from tests.rehearsal.aws.account import TAGS, Account, trust
from virtci.rehearsal.journal import CloudError

RIGHTS: dict[str, Any] = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:us-east-2:000000000000:parameter/x"}]}  # fmt: skip
GITHUB = "https://token.actions.githubusercontent.com"


def test_what_was_made_is_read_as_it_was_written(account: Account) -> None:
    role = account.make(
        "role", name="slot", path="/virt-ci/runners/", assumeRolePolicy=trust("ec2.amazonaws.com"), tags=TAGS
    )
    rights = account.make("rights", name="registration", role=role.id, policy=json.dumps(RIGHTS, indent=1))
    profile = account.make("profile", name="slot", path="/virt-ci/runners/", role=role.id, tags=TAGS)
    issuer = account.make("issuer", url=GITHUB, clientIdLists=["sts.amazonaws.com"], tags=TAGS)

    for made in (role, rights, profile, issuer):
        assert account.read(made) == made.outputs
        assert made.outputs.items() >= made.inputs.items()
    assert role.outputs["arn"] == "arn:aws:iam::000000000000:role/virt-ci/runners/slot"
    assert issuer.id == "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"


def test_all_of_it_changes_and_goes(account: Account) -> None:
    role = account.make("role", name="slot", assumeRolePolicy=trust("ec2.amazonaws.com"), tags=TAGS)
    rights = account.make("rights", name="registration", role=role.id, policy=json.dumps(RIGHTS))
    profile = account.make("profile", name="slot", role=role.id)
    issuer = account.make("issuer", url=GITHUB, clientIdLists=["sts.amazonaws.com"])
    other = account.make("role", name="other", assumeRolePolicy=trust("ec2.amazonaws.com"))
    narrower = json.dumps({**RIGHTS, "Statement": [{**RIGHTS["Statement"][0], "Action": "ssm:DeleteParameter"}]})

    role = account.update(
        role, assumeRolePolicy=trust("scheduler.amazonaws.com"), maxSessionDuration=7200, tags={"owner": "x"}
    )
    rights = account.update(rights, policy=narrower)
    profile = account.update(profile, role=other.id)
    issuer = account.update(issuer, tags={"owner": "x"})

    assert role.outputs["tags"] == {"owner": "x"}
    assert role.outputs["maxSessionDuration"] == 7200
    assert json.loads(role.outputs["assumeRolePolicy"])["Statement"][0]["Principal"] == {
        "Service": ["scheduler.amazonaws.com"]
    }
    assert rights.outputs["policy"] == narrower
    assert profile.outputs["role"] == "other"
    assert issuer.outputs["tags"] == {"owner": "x"}
    for made in (profile, rights, role, other, issuer):
        account.delete(made)
        assert account.read(made) is None
        account.delete(made)
    assert account.aws.remaining() == []


def test_what_moto_cannot_change_is_not_pretended_to_change(account: Account) -> None:
    issuer = account.make("issuer", url=GITHUB, clientIdLists=["sts.amazonaws.com"])

    with pytest.raises(CloudError, match="does not carry out clientIdLists"):
        account.update(issuer, clientIdLists=["other"])


def test_a_role_with_rights_in_it_is_not_deleted(account: Account) -> None:
    role = account.make("role", name="slot", assumeRolePolicy=trust("ec2.amazonaws.com"))
    account.make("rights", name="registration", role=role.id, policy=json.dumps(RIGHTS))

    with pytest.raises(CloudError) as refused:
        account.delete(role)
    assert refused.value.code == "DeleteConflict"


def test_a_document_that_somebody_changed_is_seen(account: Account) -> None:
    role = account.make("role", name="slot", assumeRolePolicy=trust("ec2.amazonaws.com"))
    account.client("iam").update_assume_role_policy(RoleName="slot", PolicyDocument=trust("lambda.amazonaws.com"))

    found = account.read(role)

    assert found is not None
    assert "lambda.amazonaws.com" in found["assumeRolePolicy"]


def test_a_document_that_is_none_is_refused(account: Account) -> None:
    with pytest.raises(CloudError, match="The policy is no JSON") as refused:
        account.make("role", name="slot", assumeRolePolicy="{")
    assert refused.value.code == "MalformedPolicyDocument"


def test_what_the_published_model_does_not_allow_is_refused(account: Account) -> None:
    with pytest.raises(CloudError) as refused:
        account.make("role", name="x" * 65, assumeRolePolicy=trust("ec2.amazonaws.com"))
    assert refused.value.code == "ValidationError"
