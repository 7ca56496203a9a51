"""The stand-ins of actions: they do what the actions do to files, and refuse what those refuse."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from virtci.rehearsal.pipeline.stand_ins import ACTIONS, ID_TOKENS, NO_IDENTITY, StandInError, main

GIT = shutil.which("git") or "git"
GUID = "00000000-0000-0000-0000-000000000001"
LOGIN = {"client-id": GUID, "tenant-id": GUID, "subscription-id": GUID}
Use = Callable[..., dict[str, str]]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    values = {
        "GITHUB_WORKSPACE": folder,
        "GITHUB_REPOSITORY": "octo-lab/app",
        "GITHUB_WORKFLOW": "app",
        "GITHUB_JOB": "build",
        "GITHUB_OUTPUT": tmp_path / "output",
        "GITHUB_ENV": tmp_path / "environment",
        "REHEARSAL": tmp_path / "rehearsal.json",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return folder


@pytest.fixture
def use(workspace: Path, tmp_path: Path) -> Use:
    """Uses an action with inputs."""
    source = workspace.parent / "source"
    source.mkdir()
    (source / "file.txt").write_text("plain")
    repository = {"folder": str(source), "commit": "1" * 40}
    rehearsal = {
        "artifacts": str(tmp_path / "artifacts"),
        "calls": str(tmp_path / "calls.jsonl"),
        "identityJobs": [["app", "deploy"]],
        "logins": None,
        "repositories": {"octo-lab/app": repository, "octo-lab/library": repository},
    }
    (tmp_path / "rehearsal.json").write_text(json.dumps(rehearsal))

    def using(action: str, **inputs: str) -> dict[str, str]:
        return ACTIONS[action]({name.replace("_", "-"): value for name, value in inputs.items()}, rehearsal)

    return using


def keep(workspace: Path, name: str, text: str = "text") -> None:
    (workspace / name).parent.mkdir(parents=True, exist_ok=True)
    (workspace / name).write_text(text)


def test_a_checkout_brings_the_repository_and_takes_away_what_was_there(use: Use, workspace: Path) -> None:
    keep(workspace, "library/left-over.txt")

    assert use("actions/checkout", repository="octo-lab/library", path="library")["commit"] == "1" * 40
    assert [path.name for path in (workspace / "library").iterdir()] == ["file.txt"]


@pytest.mark.usefixtures("use")
def test_a_checkout_of_a_git_repository_is_a_clone(workspace: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for command in (
        ["init", "-q", "-b", "trunk"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run([GIT, *command], cwd=source, check=True)
    head = subprocess.run([GIT, "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True)
    rehearsal = json.loads((tmp_path / "rehearsal.json").read_text())
    rehearsal["repositories"]["octo-lab/app"]["commit"] = head.stdout.strip()

    for ref in ("", "trunk"):
        ACTIONS["actions/checkout"]({"path": "app", "ref": ref}, rehearsal)
        assert (workspace / "app" / ".git").is_dir()
        assert (workspace / "app" / "file.txt").read_text() == "plain"
    with pytest.raises(StandInError, match="not our ref branch"):
        ACTIONS["actions/checkout"]({"path": "app", "ref": "branch"}, rehearsal)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"path": "../outside"}, "is not under"),
        ({"repository": "octo-lab/other"}, "not found"),
        ({"ref": "2" * 40}, "not our ref"),
    ],
)
def test_a_checkout_of_what_is_not_there_fails(use: Use, inputs: dict[str, str], words: str) -> None:
    with pytest.raises(StandInError, match=words):
        use("actions/checkout", **inputs)


def test_an_artifact_goes_from_job_to_job(use: Use, workspace: Path) -> None:
    keep(workspace, "out/release.json", "one")
    keep(workspace, "out/deep/manifest.yaml", "two")

    use("actions/upload-artifact", name="release", path="out")
    use("actions/download-artifact", name="release", path="in")

    assert (workspace / "in" / "release.json").read_text() == "one"
    assert (workspace / "in" / "deep" / "manifest.yaml").read_text() == "two"


def test_several_paths_keep_what_differs_between_them(use: Use, workspace: Path) -> None:
    keep(workspace, "a/one.xml")
    keep(workspace, "b/two.xml")

    use("actions/upload-artifact", name="both", path="a/*.xml\nb/two.xml")
    use("actions/download-artifact", name="both", path="in")

    assert sorted(str(path.relative_to(workspace)) for path in (workspace / "in").rglob("*.xml")) == [
        "in/a/one.xml",
        "in/b/two.xml",
    ]


def test_an_artifact_is_replaced_only_on_request(use: Use, workspace: Path) -> None:
    keep(workspace, "file.txt", "first")
    use("actions/upload-artifact", name="kept", path="file.txt")
    keep(workspace, "file.txt", "second")

    with pytest.raises(StandInError, match="409"):
        use("actions/upload-artifact", name="kept", path="file.txt")
    use("actions/upload-artifact", name="kept", path="file.txt", overwrite="true")
    use("actions/download-artifact", name="kept", path="in")

    assert (workspace / "in" / "file.txt").read_text() == "second"


def test_hidden_files_stay_behind(use: Use, workspace: Path) -> None:
    keep(workspace, "out/.secret")
    keep(workspace, "out/plain.txt")

    use("actions/upload-artifact", name="kept", path="out")
    use("actions/download-artifact", name="kept", path="in")

    assert [path.name for path in (workspace / "in").iterdir()] == ["plain.txt"]


def test_nothing_to_upload_is_an_error_only_where_it_is_asked_for(use: Use) -> None:
    assert use("actions/upload-artifact", name="none", path="nowhere") == {}
    with pytest.raises(StandInError, match="No files were found"):
        use("actions/upload-artifact", name="none", path="nowhere", if_no_files_found="error")


@pytest.mark.parametrize("inputs", [{"name": "a/b", "path": "x"}, {"name": "a"}])
def test_an_upload_that_the_action_refuses_fails(use: Use, inputs: dict[str, str]) -> None:
    with pytest.raises(StandInError):
        use("actions/upload-artifact", **inputs)


def test_an_artifact_that_is_not_there_fails_by_name_and_not_by_pattern(use: Use, workspace: Path) -> None:
    keep(workspace, "file.txt")
    use("actions/upload-artifact", name="result-dev", path="file.txt")

    with pytest.raises(StandInError, match="not found for name: result-test"):
        use("actions/download-artifact", name="result-test")
    use("actions/download-artifact", pattern="junit-*", path="junit")
    use("actions/download-artifact", pattern="result-*", path="results")
    use("actions/download-artifact", pattern="result-*", path="merged", merge_multiple="true")

    assert not any((workspace / "junit").iterdir())
    assert (workspace / "results" / "result-dev" / "file.txt").exists()
    assert (workspace / "merged" / "file.txt").exists()


def test_a_login_needs_a_job_that_may_ask_for_a_token(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {name.replace("-", "_"): value for name, value in LOGIN.items()}

    with pytest.raises(StandInError, match=NO_IDENTITY[:40]):
        use("azure/login", **login)
    monkeypatch.setenv("GITHUB_JOB", "deploy")

    assert use("azure/login", **login) == {}


def test_identity_tokens_come_with_the_login_where_the_rehearsal_has_any(
    use: Use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_JOB", "deploy")
    monkeypatch.setenv(ID_TOKENS, "http://127.0.0.1:1/?api-version=2.0")

    use("azure/login", **{name.replace("-", "_"): value for name, value in LOGIN.items()})

    assert (tmp_path / "environment").read_text().splitlines() == [
        "ACTIONS_ID_TOKEN_REQUEST_URL=http://127.0.0.1:1/?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN=rehearsal",
    ]


@pytest.mark.parametrize("change", [{"client-id": ""}, {"tenant-id": "octo-lab"}, {"creds": "{}"}])
def test_a_login_without_its_identity_or_with_a_secret_fails(
    use: Use, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    monkeypatch.setenv("GITHUB_JOB", "deploy")

    with pytest.raises(StandInError):
        use("azure/login", **{name.replace("-", "_"): value for name, value in (LOGIN | change).items()})


def test_an_app_token_needs_an_app_and_its_key(use: Use) -> None:
    for inputs in ({}, {"client_id": "app"}, {"private_key": "key"}):
        with pytest.raises(StandInError):
            use("actions/create-github-app-token", **inputs)

    assert use("actions/create-github-app-token", client_id="app", private_key="key")["token"]


@pytest.mark.usefixtures("use")
def test_the_program_fails_as_the_action_would_and_keeps_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INPUTS", json.dumps({"name": "a/b", "path": "x", "token": "sesame", "overwrite": None}))

    assert main("actions/upload-artifact") == 1

    assert "::error::The artifact name is not valid" in capsys.readouterr().out
    call = json.loads((tmp_path / "calls.jsonl").read_text())
    assert call["inputs"] == {"name": "a/b", "path": "x"}
    assert (call["workflow"], call["job"]) == ("app", "build")
