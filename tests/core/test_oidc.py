"""Subjects of GitHub's tokens, in the classic and in the immutable form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.oidc import AUDIENCE, ISSUER, Repository, environment_of, subjects

REPOSITORY = Repository(owner="octo-lab", name="kubevirt", owner_id=9001, repository_id=7001)
words = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


def test_environment_has_a_subject_in_each_form() -> None:
    assert subjects(REPOSITORY, "environment:dev") == {
        "classic": "repo:octo-lab/kubevirt:environment:dev",
        "immutable": "repo:octo-lab@9001/kubevirt@7001:environment:dev",
    }


def test_pull_requests_have_a_subject_in_each_form() -> None:
    assert subjects(REPOSITORY, "pull_request") == {
        "classic": "repo:octo-lab/kubevirt:pull_request",
        "immutable": "repo:octo-lab@9001/kubevirt@7001:pull_request",
    }


@given(words, words, st.integers(1, 10**12), st.integers(1, 10**12), words)
def test_both_forms_lead_back_to_the_environment(
    owner: str, name: str, owner_id: int, repository_id: int, bound: str
) -> None:
    found = subjects(Repository(owner, name, owner_id, repository_id), f"environment:{bound}")
    assert {environment_of(subject) for subject in found.values()} == {bound}


@pytest.mark.parametrize(
    "subject",
    [
        "repo:octo-lab/kubevirt:pull_request",
        "repo:octo-lab/kubevirt:ref:refs/heads/main",
        "repo:octo-lab/kubevirt:environment:",
        "repo:octo-lab/kubevirt:environment:*",
        "repo:octo-lab/*:environment:dev",
        "repo:octo-lab/kubevirt:environment:dev:ref:refs/heads/main",
        "repository:octo-lab/kubevirt:environment:dev",
        "repo:octo-lab/kubevirt:job_workflow_ref:dev",
        "",
    ],
)
def test_subject_that_is_not_bound_to_one_environment_has_none(subject: str) -> None:
    assert environment_of(subject) is None


def test_tokens_come_from_github_and_are_meant_for_azure() -> None:
    assert ISSUER == "https://token.actions.githubusercontent.com"
    assert AUDIENCE == "api://AzureADTokenExchange"


def test_repository_is_written_owner_and_name() -> None:
    assert REPOSITORY.slug == "octo-lab/kubevirt"
