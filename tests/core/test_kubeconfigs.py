"""Kubeconfigs: whether one can be used is known before a cluster is asked, and nothing repeats its credential."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.core.kubeconfigs import current_user, expires, kubeconfig_problems

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def token(expiry: datetime) -> str:
    """A token of a service account that runs out then."""
    claims = json.dumps({"exp": int(expiry.timestamp()), "sub": "system:serviceaccount:virt-ci:deployer"})
    return f"head.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.signature"


def config(user: dict[str, Any] | None = None) -> dict[str, Any]:
    """A kubeconfig of one cluster."""
    return {
        "clusters": [{"name": "dev", "cluster": {"server": "https://10.60.1.4:6443"}}],
        "users": [{"name": "deployer", "user": user or {"token": token(NOW + timedelta(days=7))}}],
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "deployer"}}],
        "current-context": "dev",
    }


def written(folder: Path, content: object) -> str:
    """The path of a file with this content."""
    path = folder / "kubeconfig"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def test_a_kubeconfig_that_is_valid_has_no_problem(tmp_path: Path) -> None:
    assert kubeconfig_problems(written(tmp_path, config()), "dev", NOW) == []


def test_no_kubeconfig_at_all_is_one_problem_with_the_way_to_get_one() -> None:
    (problem,) = kubeconfig_problems(None, "dev", NOW)

    assert problem.key == "KUBECONFIG"
    assert "virtci kubeconfig dev --to FILE" in problem.fix


@pytest.mark.parametrize("content", ["{", "# The machine has not published its kubeconfig yet.\n", "[]", "text"])
def test_what_is_no_kubeconfig_is_one_problem(tmp_path: Path, content: str) -> None:
    assert len(kubeconfig_problems(written(tmp_path, content), "dev", NOW)) == 1


@pytest.mark.parametrize("part", ["clusters", "users", "contexts", "current-context"])
def test_a_kubeconfig_without_a_part_is_one_problem(tmp_path: Path, part: str) -> None:
    content = config()
    del content[part]

    assert len(kubeconfig_problems(written(tmp_path, content), "dev", NOW)) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "absent")

    (problem,) = kubeconfig_problems(path, "dev", NOW)

    assert problem.value == path
    assert "No such file" in problem.rule


def test_a_token_that_ran_out_is_told_with_time_and_fix_and_without_the_token(tmp_path: Path) -> None:
    expired = token(NOW - timedelta(minutes=1))

    (problem,) = kubeconfig_problems(written(tmp_path, config({"token": expired})), "test-mshv", NOW)

    assert "2026-11-21 at 11:59 UTC" in problem.rule
    assert "virtci rotate kubeconfig test-mshv" in problem.fix
    assert expired not in str(problem)


@pytest.mark.parametrize(
    "user",
    [{}, {"token": "opaque"}, {"token": "a.!!!.c"}, {"token": "a.e30.c"}, {"exec": {"command": "kubelogin"}}],
)
def test_a_credential_that_does_not_say_when_it_runs_out_is_left_to_the_server(user: dict[str, Any]) -> None:
    assert expires(user) is None


def test_the_user_is_that_of_the_current_context() -> None:
    content = config()
    content["users"].insert(0, {"name": "other", "user": {"token": "x"}})

    assert current_user(content) == content["users"][1]["user"]
