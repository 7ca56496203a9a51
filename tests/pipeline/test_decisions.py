"""What the pipeline decides: plans, endings, promotion, verdict."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from virtci.core.environments import ROWS, Environment, test_focus
from virtci.core.label_filters import label_filter
from virtci.core.pipeline import (
    FIRST,
    FROM_FORK,
    PROMOTED,
    Declared,
    Ending,
    JobResult,
    Outcome,
    Tests,
    check_promotion,
    outcome,
    plan,
    verdict,
    version_of,
)
from virtci.core.problems import ProblemsError, Refusal

LABELS = ("self-hosted", "linux", "x64", "kubevirt-build")
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
RESULTS: tuple[JobResult, ...] = ("success", "failure", "cancelled", "skipped")
BEFORE: dict[str, JobResult] = {"plan": "success", "quality": "success", "build": "success"}
PASSED = Outcome(Ending.PASSED)


def declared(environment: Environment, **changes: Any) -> Declared:
    given: dict[str, Any] = {
        "enabled": True,
        "reason": "",
        "scope": ROWS[environment].scope,
        "focus": test_focus(environment),
        **changes,
    }
    return Declared(environment=environment, **given)


def all_declared(**changes: object) -> list[Declared]:
    """All environments, the one of the test with changes."""
    return [declared(item, **(changes if item is Environment.TEST_KVM else {})) for item in Environment]


def test_the_first_environment_comes_first_and_all_others_after_it() -> None:
    planned = plan(reversed(all_declared()), LABELS)

    assert [item.environment for item in planned] == [FIRST, *PROMOTED]
    assert set(PROMOTED) == set(Environment) - {Environment.DEV}


def test_an_entry_carries_what_the_workflow_reads() -> None:
    entry = plan(all_declared(), LABELS)[0].entry()

    assert entry["environment"] == "dev"
    assert entry["labels"] == ["self-hosted", "linux", "x64", "kubevirt-build"]
    assert entry["filter"] == label_filter(Environment.DEV, test_focus(Environment.DEV))
    assert (entry["suiteMinutes"], entry["jobMinutes"]) == (240, 300)


def test_the_whole_suite_has_the_time_of_the_hyper_v_lane() -> None:
    minutes = {item.environment.value: item.suite_minutes for item in plan(all_declared(), LABELS)}

    assert minutes == {"dev": 240, "test-mshv": 480, "test-kvm": 240, "test-emulation": 480}


def test_runners_are_always_self_hosted_ones() -> None:
    assert plan(all_declared(), ("kubevirt-build",))[0].labels == ("self-hosted", "kubevirt-build")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"focus": ""}, "a label filter names at least one label"),
        ({"focus": "   "}, "a label filter names at least one label"),
        ({"focus": "(l1vh-new)"}, "did you mean `l1hv-new`?"),
        ({"enabled": False}, "tests that are off say why"),
        ({"enabled": False, "reason": " "}, "tests that are off say why"),
    ],
)
def test_a_contract_that_would_mislead_is_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ProblemsError, match="test-kvm") as refusal:
        plan(all_declared(**changes), LABELS)

    assert named in str(refusal.value)


def test_what_ginkgo_says_of_a_filter_is_passed_on() -> None:
    with pytest.raises(ProblemsError) as refusal:
        plan(all_declared(), LABELS, lambda text: "Mismatched '('" if "!l1hv-new && !mshv" in text else "")

    assert [problem.key for problem in refusal.value.problems] == ["environments.test-kvm.tests.focus"]
    assert "Mismatched '('" in str(refusal.value)


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ProblemsError) as refusal:
        plan([declared(Environment.DEV)], ())

    keys = {problem.key for problem in refusal.value.problems}
    assert keys == {"environments.test-mshv", "environments.test-kvm", "environments.test-emulation", "runnerLabels"}


def test_the_version_of_a_build_says_which_run_made_it() -> None:
    assert version_of("v1.8.2", 17) == "v1.8.2-l1vh.17"


@pytest.mark.parametrize("base", ["1.8.2", "v1.8", "main", "", "v1.8.2-l1vh.3"])
def test_a_base_that_is_no_release_makes_no_version(base: str) -> None:
    with pytest.raises(Refusal, match="looks like"):
        version_of(base, 1)


@pytest.mark.parametrize(
    ("deploy", "test", "tests", "off", "ending", "why"),
    [
        ("success", "success", Tests(passed=3), "", Ending.PASSED, ""),
        ("success", "failure", Tests(passed=3, failed=1), "", Ending.FAILED, "1 of 4 tests failed"),
        ("success", "failure", Tests(passed=3), "", Ending.FAILED, "did not run to its end"),
        ("success", "failure", None, "", Ending.FAILED, "did not run to its end"),
        ("success", "success", None, "", Ending.FAILED, "no test ran"),
        ("success", "success", Tests(skipped=900), "", Ending.FAILED, "no test ran"),
        ("success", "skipped", None, "not yet", Ending.SKIPPED, "not yet"),
        ("success", "skipped", None, "", Ending.FAILED, "no test ran"),
        ("failure", "skipped", None, "", Ending.FAILED, "was not deployed"),
        ("failure", "skipped", None, "not yet", Ending.FAILED, "was not deployed"),
        ("cancelled", "skipped", None, "not yet", Ending.CANCELLED, "cancelled"),
        ("success", "cancelled", Tests(passed=3), "", Ending.CANCELLED, "cancelled"),
    ],
)
def test_how_an_environment_ends(
    deploy: JobResult, test: JobResult, tests: Tests | None, off: str, ending: Ending, why: str
) -> None:
    found = outcome(deploy, test, tests, off)

    assert (found.ending, why in found.reason) == (ending, True)


@given(
    some.sampled_from(RESULTS),
    some.sampled_from(RESULTS),
    some.none() | some.builds(Tests, some.integers(0, 3), some.integers(0, 3), some.integers(0, 3)),
    some.sampled_from(["", "a reason"]),
)
def test_an_environment_is_passed_only_after_tests_that_all_passed(
    deploy: JobResult, test: JobResult, tests: Tests | None, off: str
) -> None:
    found = outcome(deploy, test, tests, off)

    if found.ending is Ending.PASSED:
        assert (deploy, test, off) == ("success", "success", "")
        assert tests is not None
        assert tests.passed
        assert not tests.failed
    else:
        assert found.reason


@pytest.mark.parametrize("ending", [item for item in Ending if item is not Ending.PASSED])
def test_only_a_passed_release_is_promoted(ending: Ending) -> None:
    with pytest.raises(Refusal) as refusal:
        check_promotion(Outcome(ending, "the reason"), DIGEST, DIGEST)

    assert str(ending) in refusal.value.rule
    assert "the reason" in refusal.value.rule


def test_a_release_other_than_the_tested_one_is_not_promoted() -> None:
    with pytest.raises(Refusal, match="what was tested"):
        check_promotion(PASSED, DIGEST, OTHER)

    check_promotion(PASSED, DIGEST, DIGEST)


def test_nothing_is_promoted_after_a_red_first_environment() -> None:
    found = verdict({FIRST: Outcome(Ending.FAILED, "1 of 4 tests failed")}, BEFORE, "skipped")

    assert {item.ending for name, item in found.items() if name is not FIRST} == {Ending.NOT_PROMOTED}


def test_one_red_environment_leaves_the_others_as_they_are() -> None:
    results = {**dict.fromkeys(Environment, PASSED), Environment.TEST_KVM: Outcome(Ending.FAILED, "red")}

    assert verdict(results, BEFORE, "success") == results


@pytest.mark.parametrize("job", list(BEFORE))
def test_a_stage_that_failed_is_why_nothing_started(job: str) -> None:
    found = verdict({}, {**BEFORE, job: "failure"}, "skipped")

    assert found[FIRST] == Outcome(Ending.NOT_STARTED, f"`{job}` ended as failure")
    assert not any(item.ending.good for item in found.values())


def test_a_fork_is_told_what_to_do() -> None:
    found = verdict({}, dict.fromkeys(BEFORE, "skipped"), "skipped")

    assert found[FIRST] == Outcome(Ending.NOT_STARTED, FROM_FORK)


def test_an_environment_without_a_result_was_cut_short() -> None:
    found = verdict({FIRST: PASSED, Environment.TEST_KVM: PASSED}, BEFORE, "success")

    assert found[Environment.TEST_EMULATION].ending is Ending.CANCELLED
    assert verdict({}, BEFORE, "skipped")[FIRST].ending is Ending.CANCELLED


def test_a_refused_promotion_is_the_reason() -> None:
    found = verdict({FIRST: PASSED}, BEFORE, "failure")

    assert found[Environment.TEST_KVM] == Outcome(Ending.NOT_PROMOTED, "the promotion ended as failure")


def test_green_needs_tests_that_passed_or_a_stated_reason() -> None:
    good = {ending for ending in Ending if ending.good}

    assert good == {Ending.PASSED, Ending.SKIPPED}
    for deploy, test in itertools.product(RESULTS, RESULTS):
        if outcome(deploy, test, None, "").ending.good:
            pytest.fail(f"{deploy}, {test}: green without a test and without a reason")
