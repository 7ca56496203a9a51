"""What rules on single resources of GitHub find, and what they let pass."""

from policies.kinds import GITHUB_ENVIRONMENT, GITHUB_VARIABLE
from tests.policies.good import ABSENT
from tests.policies.harness import UNKNOWN
from tests.policies.rows import GITHUB_TOKEN, KEY_HEAD, Row

ROWS = [
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"preventSelfReview": False}, "preventSelfReview is false"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"canAdminsBypass": True}, "canAdminsBypass is true"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"deploymentBranchPolicy.protectedBranches": True}, "are true and true"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"reviewers": [{"users": [], "teams": []}]}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"reviewers": ABSENT}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"deploymentBranchPolicy": ABSENT}, "are absent and absent"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"canAdminsBypass": ABSENT}, "canAdminsBypass is absent"),
    Row("github-protection", GITHUB_ENVIRONMENT, "unknown", {"preventSelfReview": UNKNOWN}, "preventSelfReview is not known"),
    Row("github-protection", GITHUB_ENVIRONMENT, "unknown", {"reviewers": UNKNOWN}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "configuration", {}, "at least 2", {"reviewers": 2}),
    Row("github-protection", GITHUB_ENVIRONMENT, "pass", {"environment": "drift", "reviewers": ABSENT, "preventSelfReview": False}),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"environment": "drift", "canAdminsBypass": True}, "is true"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": GITHUB_TOKEN}, "its value holds a GitHub token"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": f"{KEY_HEAD}\n…"}, "its value holds a private key"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": "AccountKey=" + "a" * 40 + "=="}, "a storage key"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": "users:\n- user:\n    client-key-data: LS0tLS1CRUdJTg=="},
        "a key of a kubeconfig"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "missing", {"value": ABSENT}),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "unknown", {"value": UNKNOWN}),
]  # fmt: skip
