"""What is read from the engine's event log, and what is not."""

from pathlib import Path

import pytest

from tests.fleet.event_logs import (
    KEY,
    MACHINE,
    SEALED,
    UNKNOWN_TEXT,
    different,
    end,
    log,
    machine,
    refreshed,
    said,
    step,
    urn,
    verdict,
    write,
)
from virtci.core.inventory import UNKNOWN
from virtci.core.problems import Refusal
from virtci.core.sealed import SECRET
from virtci.fleet.events import read_log


def test_a_step_has_the_inputs_before_and_after_and_the_properties_that_differ(tmp_path: Path) -> None:
    diff = different("hardwareProfile.vmSize")
    found = log(tmp_path, step("update", "box", machine(), machine("Standard_D8s_v5"), detailedDiff=diff), end())

    (only,) = found.steps.values()
    assert (only.name, only.operation, only.paths) == ("box", "update", ("hardwareProfile.vmSize",))
    assert only.before is not None
    assert only.after is not None
    assert (only.before["hardwareProfile"], only.after["hardwareProfile"]) == (
        {"vmSize": "Standard_D4s_v5"},
        {"vmSize": "Standard_D8s_v5"},
    )


def test_the_three_steps_of_a_replacement_are_one_with_its_reason(tmp_path: Path) -> None:
    diff = different("osProfile.customData", kind="update-replace")
    events = (
        step("delete-replaced", "box", machine()),
        step("replace", "box", machine(), machine(), detailedDiff=diff),
        step("create-replacement", "box", machine(), machine(), detailedDiff=diff),
    )
    for order in (events, events[::-1]):
        (only,) = log(tmp_path, *order, end()).steps.values()
        assert (only.operation, only.forcing) == ("replace", ("osProfile.customData",))


def test_a_replacement_that_follows_another_names_its_keys(tmp_path: Path) -> None:
    events = (step("replace", "role", {}, {}), step("create-replacement", "role", {}, {}, keys=["scope"]))
    (only,) = log(tmp_path, *events, end()).steps.values()
    assert (only.paths, only.forcing) == (("scope",), ("scope",))


def test_a_secret_is_masked_and_a_value_of_the_future_is_known_as_such(tmp_path: Path) -> None:
    inputs = {"value": SEALED, "list": [{"deep": SEALED}], "id": UNKNOWN_TEXT}
    (only,) = log(tmp_path, step("create", "box", None, inputs), end()).steps.values()
    assert only.after == {"value": SECRET, "list": [{"deep": SECRET}], "id": UNKNOWN}


def test_what_the_sdk_says_for_debugging_is_not_read(tmp_path: Path) -> None:
    found = log(tmp_path, said(f"RegisterResource(value: {KEY})", "debug"), said("slow", "info#err"), end())
    assert (found.errors, found.warnings) == ([], [])


def test_a_private_key_in_an_error_is_cut_out(tmp_path: Path) -> None:
    found = log(
        tmp_path, said(f"<{{%reset%}}>cannot write {KEY} there"), said(KEY[:40] + "…", "warning"), end("failed")
    )
    assert found.errors == ["cannot write [secret] there"]
    assert found.warnings == ["[secret]"]


def test_components_are_no_resources_and_providers_are_not_declared(tmp_path: Path) -> None:
    found = log(
        tmp_path,
        step("create", "machine", None, {}, kind="virt-ci:machine:Machine"),
        step("create", "azure", None, {}, kind="pulumi:providers:azure-native"),
        step("create", "box", None, machine()),
        end(),
    )
    assert [item.name for item in found.resources(after=True)] == ["box"]
    assert urn("machine", "virt-ci:machine:Machine") not in found.steps


def test_before_and_after_are_two_inventories(tmp_path: Path) -> None:
    found = log(
        tmp_path,
        step("same", "stays", machine(), machine()),
        step("create", "comes", None, machine()),
        step("delete", "goes", machine()),
        end(),
    )
    assert [item.name for item in found.resources(after=False)] == ["stays", "goes"]
    assert [item.name for item in found.resources(after=True)] == ["stays", "comes"]
    assert {item.kind for item in found.resources(after=True)} == {MACHINE}


def test_reading_a_resource_tells_what_is_new_and_is_no_step(tmp_path: Path) -> None:
    found = log(
        tmp_path,
        step("refresh", "changed", machine(), machine()),
        refreshed("changed", machine(), machine("Standard_D8s_v5"), detailedDiff=different("hardwareProfile.vmSize")),
        refreshed("same", machine(), machine()),
        refreshed("gone", machine(), None),
        end(),
    )
    assert found.found_changed == {urn("changed"), urn("gone")}
    assert found.steps == {}


def test_a_verdict_keeps_its_own_words(tmp_path: Path) -> None:
    found = log(tmp_path, verdict("quota", "8 vCPU; rule: 4; fix: less", "box"), end("failed"))
    (only,) = found.verdicts
    assert (only.policy, only.level, only.message) == ("quota", "mandatory", "box: 8 vCPU; rule: 4; fix: less")


def test_a_failed_preview_without_a_complaint_of_its_own_has_no_error(tmp_path: Path) -> None:
    found = log(tmp_path, said("preview failed\n"), end("failed"))
    assert (found.errors, found.succeeded, found.complete) == ([], False, True)


@pytest.mark.parametrize(
    ("events", "complete"),
    [((end(),), True), ((), False), ((said("the program ended with exit code 1"), end("failed")), False)],
)
def test_only_a_log_with_an_end_and_without_errors_is_complete(
    tmp_path: Path, events: tuple[dict[str, object], ...], complete: bool
) -> None:
    assert log(tmp_path, *events).complete is complete


@pytest.mark.parametrize("text", [None, "{", "[]\n", '{"resourcePreEvent": {}}\n'])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, text: str | None) -> None:
    path = write(tmp_path, ())
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(Refusal, match=r"events\.jsonl is an event log of the engine"):
        read_log(path)
