"""GitHub Environments: protected, filled from outputs, never empty."""

import pytest

from components.github_environment import GithubEnvironment, GithubEnvironmentArgs
from tests.committed import fleet
from tests.recorder import Recorder, record

ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret"
ENVIRONMENTS = {"dev": "dev", "test-mshv": "test", "test-kvm": "test", "test-emulation": "test"}
ARGUMENTS: GithubEnvironmentArgs = {
    "repository": "kubevirt",
    "environment": "dev",
    "reviewer_ids": [1],
    "wait_minutes": 0,
    "branches": ["main"],
}


def variables(environment: str) -> dict[str, str]:
    """The variables of an environment of the fleet."""
    found = fleet(ENVIRONMENTS[environment]).all(VARIABLE)
    return {
        item.inputs["variableName"]: item.inputs["value"] for item in found if item.inputs["environment"] == environment
    }


def recorded(**changes: object) -> Recorder:
    """One environment with changed arguments."""

    def program() -> None:
        GithubEnvironment("box", {**ARGUMENTS, **changes})  # type: ignore[typeddict-item]  # of any argument

    return record(program, Recorder())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_needs_a_review_by_somebody_else_and_admins_cannot_pass(environment: str) -> None:
    found = fleet(ENVIRONMENTS[environment]).one(ENVIRONMENT, f"{environment}-github").inputs

    assert found["reviewers"][0]["users"]
    assert found["preventSelfReview"] is True
    assert found["canAdminsBypass"] is False
    assert found["deploymentBranchPolicy"] == {"protectedBranches": False, "customBranchPolicies": True}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_pipeline_finds_its_compute_its_identity_and_its_filter(environment: str) -> None:
    found = variables(environment)

    assert found["AZURE_CLIENT_ID"] == f"client-of-{environment}-identity"
    assert found["KUBECONFIG_SECRET"] == f"{environment}-kubeconfig"
    assert found["TEST_FOCUS"].startswith("(")
    assert {"AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "RESOURCE_GROUP", "COMPUTE_NAME", "KEY_VAULT"} <= found.keys()


@pytest.mark.parametrize(
    ("environment", "gate", "emulation"),
    [
        ("dev", "HyperVL1VH", "false"),
        ("test-mshv", "HyperVL1VH", "false"),
        ("test-kvm", None, "false"),
        ("test-emulation", None, "true"),
    ],
)
def test_gate_and_emulation_follow_the_environments_row(environment: str, gate: str | None, emulation: str) -> None:
    found = variables(environment)

    assert (found.get("FEATURE_GATES"), found["EMULATION"]) == (gate, emulation)


def test_a_switched_off_test_step_says_why() -> None:
    found = variables("test-mshv")

    assert found["TESTS_ENABLED"] == "false"
    assert "/dev/mshv" in found["TESTS_DISABLED_REASON"]


def test_the_only_secret_is_the_ssh_key_of_the_environments_own_machine() -> None:
    found = {
        item.inputs["environment"]: item.inputs["secretName"]
        for item in [*fleet("dev").all(SECRET), *fleet("test").all(SECRET)]
    }

    assert found == dict.fromkeys(("dev", "test-mshv", "test-emulation"), "SSH_PRIVATE_KEY")


def test_a_deployment_policy_is_made_for_every_branch_pattern() -> None:
    kind = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
    found = recorded(branches=["main", "release/*"]).all(kind)

    assert [item.inputs["branchPattern"] for item in found] == ["main", "release/*"]


def test_the_environments_of_our_own_workflows_are_protected_before_a_workflow_can_name_them() -> None:
    found = {item.inputs["environment"]: item.inputs for item in fleet("hub").all(ENVIRONMENT)}

    assert set(found) == {"deploy", "drift"}
    assert all(item["repository"] == "virt-ci" and item["canAdminsBypass"] is False for item in found.values())
    assert [len(group["users"]) for group in found["deploy"]["reviewers"]] == [2]
    assert ("reviewers" in found["drift"], found["drift"]["preventSelfReview"]) == (False, False)


def test_only_the_identity_that_reads_trusts_the_environment_without_approval() -> None:
    trusted = {item.inputs["subject"] for item in fleet("hub").all(CREDENTIAL) if "drift" in item.inputs["subject"]}
    owners = {item.inputs["resourceName"] for item in fleet("hub").all(CREDENTIAL) if item.inputs["subject"] in trusted}

    assert (len(trusted), owners) == (2, {"virt-ci-preview"})


def test_an_unattended_environment_takes_no_reviewers_but_keeps_the_rest_of_its_protection() -> None:
    found = recorded(unattended=True, reviewer_ids=[]).one(ENVIRONMENT).inputs

    assert "reviewers" not in found
    assert (found["canAdminsBypass"], found["deploymentBranchPolicy"]["customBranchPolicies"]) == (False, True)
    with pytest.raises(ValueError, match="needs no reviewer"):
        recorded(unattended=True)


@pytest.mark.parametrize("missing", [{"reviewer_ids": []}, {"branches": []}])
def test_an_environment_without_protection_is_refused(missing: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="at least one reviewer and at least one branch pattern"):
        recorded(**missing)


def test_an_empty_variable_is_refused_by_name() -> None:
    with pytest.raises(Exception, match="GitHub variable TEST_FOCUS is empty"):
        recorded(variables={"TEST_FOCUS": ""})


def test_a_secret_is_a_secret_to_the_engine() -> None:
    assert recorded(secrets={"KEY": "value"}).one(SECRET).is_secret("plaintextValue")
