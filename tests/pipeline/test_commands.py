"""`virtci pipeline …` as the workflow files call it: outputs, summaries, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.sample import environment, machine, outputs
from tests.pipeline.test_junit import BEFORE_SUITE, FAILS, LEFT_OUT, PASSES, written
from virtci.cli.main import main
from virtci.core.environments import Environment, test_focus
from virtci.core.pipeline import FROM_FORK, Ending, Outcome, Tests
from virtci.fleet.last_test import read_results, result_of
from virtci.rehearsal.kubernetes.scenario import OPERATOR
from virtci.rehearsal.pipeline.suite import RELEASE

DIGEST = f"sha256:{'a' * 64}"
Outputs = Callable[[], dict[str, str]]
RELEASE_FOLDER = RELEASE.parent


@pytest.fixture(autouse=True)
def actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What GitHub gives a step."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("GITHUB_ACTIONS", "TESTS_ENABLED", "TESTS_DISABLED_REASON", "VIRTCI_OUTPUTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def given(actions: Path) -> Outputs:
    """The outputs of the step so far."""

    def read() -> dict[str, str]:
        file = actions / "github_output"
        lines = file.read_text().splitlines() if file.exists() else []
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    return read


def contract() -> list[dict[str, Any]]:
    found = outputs()
    emulation = environment("test-emulation", "e2e-vm", "rg", "emulation", "off", "all")
    found["environments"]["test-emulation"] = emulation
    found["machines"].append(machine("e2e-vm", "rg", "10.60.3.4", "Standard_D64s_v5", "on-demand", "test-emulation"))
    for name, part in found["environments"].items():
        part["tests"]["focus"] = test_focus(Environment(name))
    return [found]


def plan(*more: str) -> int:
    return main(["pipeline", "plan", "--version", "v1.8.2", "--run-number", "17", *more])


def test_the_plan_is_what_the_workflow_hands_on(monkeypatch: pytest.MonkeyPatch, given: Outputs) -> None:
    monkeypatch.setenv("VIRTCI_OUTPUTS", json.dumps(contract()))

    assert plan("--contract", "contract") == 0

    assert given()["version"] == "v1.8.2-l1vh.17"
    assert json.loads(given()["labels"])[0] == "self-hosted"
    assert json.loads(given()["first"])["environment"] == "dev"
    matrix = json.loads(given()["matrix"])["include"]
    assert [entry["environment"] for entry in matrix] == ["test-mshv", "test-kvm", "test-emulation"]
    assert [path.name for path in Path("contract").iterdir()] == ["all.json"]


def test_the_plan_shows_filters_and_why_tests_are_off(actions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTCI_OUTPUTS", json.dumps(contract()))

    plan("--contract", "contract")

    summary = (actions / "github_step_summary").read_text()
    assert "off: /dev/mshv isn't supported on these machines yet" in summary
    assert "!(sig-storage, storage-req)" in summary


@pytest.mark.parametrize(("disk", "code"), [("", 0), (f"registry.example/cirros@{DIGEST}", 0), ("cirros:latest", 3)])
def test_a_disk_of_the_benchmark_has_its_digest_before_anything_is_built(
    disk: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTCI_OUTPUTS", json.dumps(contract()))

    assert plan("--contract", "contract", "--disk", disk) == code


@pytest.mark.program("label-filter")
def test_a_filter_that_ginkgo_cannot_read_stops_the_run_before_the_build(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = contract()
    found[0]["environments"]["test-kvm"]["tests"]["focus"] = "(!l1hv-new && !mshv"
    monkeypatch.setenv("VIRTCI_OUTPUTS", json.dumps(found))

    assert plan("--contract", "contract", "--parser", "required") == 2

    said = capsys.readouterr().err
    assert "environments.test-kvm.tests.focus" in said
    assert "Mismatched '('" in said


def test_a_parser_that_is_required_and_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIRTCI_OUTPUTS", json.dumps(contract()))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    assert plan("--contract", "contract", "--parser", "required") == 3
    assert "programs.py label-filter" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "no json", "{}", '[{"region": "westus"}]', "[1]", "[]"])
def test_a_contract_that_nobody_published_is_named_with_its_fix(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIRTCI_OUTPUTS", text)

    assert plan("--contract", "contract") == 3
    assert "VIRTCI_OUTPUTS" in capsys.readouterr().err


def test_refusals_are_annotations_in_a_workflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    main(["pipeline", "tests"])

    annotation = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("::error::"))
    assert "TESTS_ENABLED" in annotation
    assert "fix: deploy the stack" in annotation


def test_tests_that_are_on_are_on(monkeypatch: pytest.MonkeyPatch, given: Outputs) -> None:
    monkeypatch.setenv("TESTS_ENABLED", "true")
    monkeypatch.setenv("TESTS_DISABLED_REASON", "left over")

    assert main(["pipeline", "tests"]) == 0
    assert given() == {"enabled": "true", "reason": ""}


def test_tests_that_are_off_say_why(
    actions: Path, monkeypatch: pytest.MonkeyPatch, given: Outputs, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TESTS_ENABLED", "false")
    monkeypatch.setenv("TESTS_DISABLED_REASON", "/dev/mshv is\nnot supported yet")

    assert main(["pipeline", "tests"]) == 0

    assert given() == {"enabled": "false", "reason": "/dev/mshv is not supported yet"}
    assert "### Tests skipped" in (actions / "github_step_summary").read_text()
    assert "::notice title=Tests skipped::" in capsys.readouterr().out


@pytest.mark.parametrize(("switch", "reason"), [("", ""), ("no", "because"), ("False", "because"), ("false", " ")])
def test_a_switch_that_says_nothing_is_refused(
    switch: str, reason: str, monkeypatch: pytest.MonkeyPatch, given: Outputs
) -> None:
    monkeypatch.setenv("TESTS_ENABLED", switch)
    monkeypatch.setenv("TESTS_DISABLED_REASON", reason)

    assert main(["pipeline", "tests"]) == 3
    assert given() == {}


@pytest.mark.parametrize(
    ("cases", "code"),
    [((PASSES, LEFT_OUT), 0), ((PASSES, FAILS), 1), ((BEFORE_SUITE, LEFT_OUT), 2), ((), 2)],
)
def test_junit_is_green_only_with_tests_that_passed(actions: Path, cases: tuple[str, ...], code: int) -> None:
    written(actions, *cases)

    assert main(["pipeline", "junit", ".", "--title", "Tests in dev"]) == code
    assert "### Tests in dev" in (actions / "github_step_summary").read_text()


def test_junit_without_a_file_is_not_green() -> None:
    assert main(["pipeline", "junit", "nowhere", "--title", "Tests"]) == 2


def record(*more: str, deploy: str = "success", test: str = "success") -> int:
    command = ["pipeline", "record", "dev", "--deploy", deploy, "--test", test, "--junit", ".", "--release", DIGEST]
    return main([*command, "--to", "result", *more])


def test_the_result_of_an_environment_is_kept(actions: Path, given: Outputs) -> None:
    written(actions, PASSES, LEFT_OUT)

    assert record() == 0

    result = read_results(Path("result"))[Environment.DEV]
    assert (result.ending, result.passed, result.skipped, result.release) == (Ending.PASSED, 1, 1, DIGEST)
    assert given() == {"ending": "passed"}


def test_a_result_is_kept_without_a_report_and_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kubeconfig").write_text("apiVersion: v1\nkind: Config\n")

    assert record("--kubeconfig", "kubeconfig", deploy="failure", test="skipped") == 0

    assert read_results(Path("result"))[Environment.DEV].outcome == Outcome(
        Ending.FAILED, "the release was not deployed"
    )
    assert "::warning::the record of this test is not in the cluster" in capsys.readouterr().out


def test_a_result_needs_the_digest_of_its_release() -> None:
    assert main(["pipeline", "record", "dev", "--deploy", "success", "--test", "success", "--junit", ".",
                 "--release", "v1.8.2", "--to", "result"]) == 3  # fmt: skip


def keep(environment: Environment, ending: Ending, release: str = DIGEST) -> None:
    result_of(environment, Outcome(ending, "" if ending is Ending.PASSED else "why"), release, Tests(passed=2)).write(
        Path("results")
    )


def promote(built: str) -> int:
    return main(["pipeline", "promote", "--results", "results", "--release", str(RELEASE_FOLDER), "--built", built])


def test_a_release_that_passed_goes_on(given: Outputs) -> None:
    from virtci.settings.release import release_digest

    digest = release_digest(RELEASE_FOLDER)
    keep(Environment.DEV, Ending.PASSED, digest)

    assert promote(digest) == 0
    assert given() == {"digest": digest}


def test_a_release_stays_whose_files_are_others(given: Outputs) -> None:
    keep(Environment.DEV, Ending.PASSED)

    assert promote(DIGEST) == 3
    assert given() == {}


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.SKIPPED, Ending.CANCELLED, None])
def test_a_release_stays_that_did_not_pass(ending: Ending | None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("results").mkdir()
    if ending:
        keep(Environment.DEV, ending)

    assert promote(DIGEST) == 3
    assert "`dev`" in capsys.readouterr().err


def verdict(promote: str = "success", **jobs: str) -> int:
    found = {"plan": "success", "quality": "success", "build": "success", **jobs}
    named = [part for name, result in found.items() for part in ("--job", name, result)]
    return main(["pipeline", "verdict", "--results", "results", "--release", DIGEST, *named, "--promote", promote])


def test_the_verdict_is_green_when_every_environment_is_good() -> None:
    for item in Environment:
        keep(item, Ending.SKIPPED if item is Environment.TEST_MSHV else Ending.PASSED)

    assert verdict() == 0


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.CANCELLED])
def test_one_bad_environment_makes_the_verdict_red(ending: Ending, actions: Path) -> None:
    for item in Environment:
        keep(item, ending if item is Environment.TEST_KVM else Ending.PASSED)

    assert verdict() == 1
    assert f"{ending} | 2 | 0 | 0 | `why`" in (actions / "github_step_summary").read_text()


def test_a_run_without_results_is_red(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict("skipped", plan="skipped", quality="skipped", build="skipped") == 1
    assert FROM_FORK in capsys.readouterr().out


def test_a_failed_build_is_red_though_nothing_else_was() -> None:
    for item in Environment:
        keep(item, Ending.PASSED)

    assert verdict(build="failure") == 1


def test_a_release_is_made_from_a_file_of_digests(given: Outputs) -> None:
    from virtci.settings.release import read_release

    release = read_release(RELEASE_FOLDER)
    Path("digests.json").write_text(json.dumps(dict(release.images)))
    command = ["pipeline", "release", "made", "--version", release.version, "--registry", release.registry]

    assert main([*command, "--manifest", str(RELEASE), "--digests", "digests.json"]) == 0
    assert main(["pipeline", "release", "made", "--expect", given()["digest"]]) == 0
    assert main(["pipeline", "release", "made", "--expect", DIGEST]) == 3
    assert main(["pipeline", "release", "made", "--version", release.version]) == 3


def test_a_manifest_that_is_none_makes_no_release() -> None:
    Path("digests.json").write_text("{}")
    command = ["pipeline", "release", "made", "--version", "v1.8.2-l1vh.1", "--registry", "ghcr.io/octo-lab/kubevirt"]

    assert main([*command, "--manifest", str(OPERATOR), "--digests", "digests.json"]) == 2
    assert main([*command, "--manifest", "nowhere.yaml", "--digests", "digests.json"]) == 3
    assert not Path("made").exists()
