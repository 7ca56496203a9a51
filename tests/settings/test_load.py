"""Reading a stack file: what is accepted, in which spelling, and that one fault does not hide another."""

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.settings.stackfile import ABSENT, AZURE, CLUSTERS, ROOT, STACKS, changed, problems, read, real_values, values
from virtci.core.environments import Environment, Gate
from virtci.core.problems import ProblemsError
from virtci.settings.load import from_file, from_pulumi, is_rehearsal, load, own_keys
from virtci.settings.models import Settings
from virtci.settings.section import UnreadableError

GUID = "12345678-0000-4000-8000-0000000000a1"


@pytest.mark.parametrize("stack", STACKS)
def test_committed_stack_file_loads_in_a_rehearsal(stack: str) -> None:
    settings = from_file(ROOT / f"Pulumi.{stack}.yaml", rehearsal=True)
    assert settings.region == "westus"
    assert (settings.hub is not None) == (stack == "hub")


def test_environments_stand_in_the_stacks_where_the_design_puts_them() -> None:
    found = {stack: list(read(values(stack)).environments) for stack in AZURE}
    assert found == {
        "hub": [],
        "dev": [Environment.DEV],
        "test": [Environment.TEST_MSHV, Environment.TEST_KVM, Environment.TEST_EMULATION],
    }


def test_every_environment_has_a_stack_for_what_runs_in_its_cluster() -> None:
    found = {stack: read(values(stack)).kubevirt for stack in CLUSTERS}
    assert {stack: item.environment for stack, item in found.items() if item} == {
        f"{environment}-kubevirt": environment for environment in Environment
    }


@pytest.mark.parametrize("stack", CLUSTERS)
def test_gate_of_a_cluster_is_that_of_its_environment(stack: str) -> None:
    cluster = read(values(stack)).kubevirt
    assert cluster
    declared = {**read(values("dev")).environments, **read(values("test")).environments}
    assert cluster.gate is declared[cluster.environment].gate


def test_committed_names_are_those_of_the_inventory() -> None:
    hub, dev, test = (read(values(stack)) for stack in AZURE)
    assert hub.hub
    assert (hub.hub.resource_group, hub.hub.key_vault.name) == ("kubevirt-rg", "kubevirtkv")
    assert hub.hub.runners.names == tuple(f"kubevirt-gh-actions-runner-{number}" for number in (1, 2, 3))
    machines = {
        name.value: (item.machine.resource_group, item.machine.name, item.machine.size)
        for settings in (dev, test)
        for name, item in settings.environments.items()
        if item.machine
    }
    assert machines == {
        "dev": ("kubevirt-dev-mshv-qemu-k3s-rg", "kubevirt-dev-mshv-qemu-k3s-vm", "Standard_D8s_v5"),
        "test-mshv": ("kubevirt-test-mshv-vm-rg", "kubevirt-test-mshv-vm-k3s", "Standard_D8s_v5"),
        "test-emulation": ("kubevirt-e2e-vm-rg", "kubevirt-e2e-vm-k3s", "Standard_D64s_v5"),
    }
    cluster = test.environments[Environment.TEST_KVM].cluster
    assert cluster
    assert (cluster.name, cluster.resource_group) == ("kubevirt-e2e-tests-aks", None)
    assert (cluster.system_pool.size, cluster.system_pool.count) == ("Standard_D4ds_v5", 2)
    assert (cluster.worker_pool.size, cluster.worker_pool.count) == ("Standard_D8s_v5", 1)


def test_tests_of_test_mshv_are_off_and_say_why() -> None:
    tests = {name: item.tests for name, item in read(values("test")).environments.items()}
    assert {name.value for name, item in tests.items() if not item.enabled} == {"test-mshv"}
    assert "/dev/mshv" in tests[Environment.TEST_MSHV].reason


def test_settings_cannot_be_changed() -> None:
    settings = read(values("dev"))
    assert settings.quota
    with pytest.raises(ValidationError):
        settings.quota.cores = 1000


def test_section_that_is_left_out_is_not_there() -> None:
    dev = read(values("dev"))
    assert dev.hub is None
    assert dev.protect
    assert read(values("hub")).environments == {}


@pytest.mark.parametrize("nothing", [{}, None])
def test_default_of_the_project_file_counts_as_left_out(nothing: Any) -> None:
    assert read(values("dev", hub=nothing)).hub is None
    assert read(values("hub", environments=nothing)).environments == {}


@pytest.mark.parametrize("stack", STACKS)
def test_engine_and_file_give_the_same_settings(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine hands a program every structured value, number and boolean as JSON text."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    sent = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", "azure-native:4711")
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({**sent, "azure-native:location": "mars"}))
    assert from_pulumi() == from_file(ROOT / f"Pulumi.{stack}.yaml", rehearsal=True)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("subscription", GUID, GUID),
        ("subscription", "00000000-0000-0000-0000-0000000000a1", "00000000-0000-0000-0000-0000000000a1"),
        ("owner", "true", "true"),
        ("owner", "2024", "2024"),
        ("system", '{"a": 1}', '{"a": 1}'),
        ("region", "northeurope", "northeurope"),
        ("protect", "false", False),
        ("protect", "true", True),
        ("protect", False, False),
        ("quota", '{"cores": 16, "families": {"f": 1}}', {"cores": 16, "families": {"f": 1}}),
        ("hub", '{"version": "1.34"}', {"version": "1.34"}),
        ("hub", "{}", {}),
        ("hub", "{broken", "{broken"),
        ("environments", {"dev": {}}, {"dev": {}}),
    ],
)
def test_texts_stay_texts_and_the_rest_is_read_as_json(key: str, text: Any, value: Any) -> None:
    found = own_keys({f"virt-ci:{key}": text})
    assert found == {key: value}
    assert type(found[key]) is type(value)


@settings(deadline=None)
@given(st.uuids())
def test_every_id_is_read_as_it_is_written(identifier: Any) -> None:
    assert own_keys({"virt-ci:subscription": str(identifier)}) == {"subscription": str(identifier)}


def test_keys_of_other_namespaces_are_none_of_ours() -> None:
    raw = {
        "azure-native:location": "mars",
        "virt-ci:region": "westus",
        "virt-ci-fleet:region": "mars",
        "pulumi:tags": {},
    }
    assert own_keys(raw) == {"region": "westus"}


def test_key_without_a_namespace_is_ours_as_the_engine_has_it() -> None:
    assert own_keys({"region": "westus", "regoin": "x"}) == {"region": "westus", "regoin": "x"}


@pytest.mark.parametrize(
    ("written", "gate"), [('"off"', Gate.OFF), ("off", Gate.OFF), ("false", Gate.OFF), ("HyperVL1VH", Gate.HYPERV_L1VH)]
)
def test_gate_may_be_off_without_quotes(written: str, gate: Gate) -> None:
    """PyYAML reads an unquoted `off` as false, Pulumi's own reader as a text."""
    read_back = yaml.safe_load(f"gate: {written}")["gate"]
    settings = read(values("dev", **{"environments.dev.gate": read_back}))
    assert settings.environments[Environment.DEV].gate is gate


@pytest.mark.parametrize("value", [True, 0, None, "", "Off"])
def test_gate_is_off_in_no_other_way(value: Any) -> None:
    assert problems(values("dev", **{"environments.dev.gate": value})).keys() == {"environments.dev.gate"}


def test_spaces_around_a_text_do_not_count() -> None:
    assert read(values("dev", owner=" kubevirt-ci ")).owner == "kubevirt-ci"


def test_ranges_are_networks() -> None:
    hub = read(values("hub")).hub
    assert hub
    assert hub.network.subnets["test-kvm"] == IPv4Network("10.60.16.0/22")


def test_limits_are_those_of_the_families_and_the_total() -> None:
    quota = read(values("test")).quota
    assert quota
    assert quota.limits == {"cores": 108, "standardDSv5Family": 96, "standardDDSv5Family": 12}


def test_total_is_not_overruled_by_a_family_of_its_name() -> None:
    quota = read(values("hub", **{"quota.families.cores": 1})).quota
    assert quota
    assert quota.limits["cores"] == 16


MANY: dict[str, Any] = {
    "regoin": "westus",
    "subscription": "mine",
    "quota.cores": "many",
    "budget.start": "2026-13-01",
    "hub.keyVault.name": "1",
    "hub.runners.size": "Standard_D4s_v55",
    "hub.runners.lifetime": "durable",
    "hub.runners.lables": [],
    "hub.network.subnets.dev": "10.60.0.0/25",
    "hub.network.subnets.staging": "10.60.40.0/24",
    "hub.infrastructureRepository": "someone-else/virt-ci",
    "environments.dev.gate": "on",
    "environments.dev.machine.size": "Standard_D2s_v5",
    "environments.dev.machine.image": "dom0qemu",
    "environments.dev.tests": {"enabled": False},
    "environments.test-kvm.gate": "HyperVL1VH",
    "environments.test-kvm.cluster.workerPool.name": "agentpool",
    "environments.test-kvm.cluster.workerPool.surge": "lots",
    "environments.test-emulation.machine.size": "Standard_D4s_v5",
    "environments.test-emulation.machine.lifetime": "never",
}


def test_every_fault_of_a_file_is_reported_at_once() -> None:
    content = values("hub")
    content["environments"] = {**values("dev")["environments"], **values("test")["environments"]}
    found = problems(changed(content, MANY))
    renamed = {"environments.dev.tests": "environments.dev.tests.reason"}
    assert found.keys() == {renamed.get(key, key) for key in MANY} | {"hubStack"}


@pytest.mark.parametrize("first", sorted(MANY))
def test_no_fault_hides_another(first: str) -> None:
    content = values("hub", hubStack="organization/virt-ci/hub")
    content["environments"] = {**values("dev")["environments"], **values("test")["environments"]}
    changes = {
        first: MANY[first],
        "hub.network.subnets.runners": "10.61.0.0/24",
        "environments.test-mshv.tests.reason": "",
    }
    found = problems(changed(content, changes))
    assert {"hub.network.subnets.runners", "environments.test-mshv.tests.reason"} <= found.keys()


def test_value_that_cannot_be_read_is_not_counted_as_nothing() -> None:
    found = problems(values("test", **{"environments.test-kvm.cluster.workerPool.size": "huge", "quota.cores": 1}))
    assert found.keys() == {"environments.test-kvm.cluster.workerPool.size"}


def test_asking_for_a_value_that_cannot_be_read_is_an_error() -> None:
    partial = Settings.model_construct(region="westus")
    del partial.__dict__["region"]
    with pytest.raises(UnreadableError, match="region"):
        _ = partial.region
    with pytest.raises(AttributeError):
        _ = partial.regoin  # type: ignore[attr-defined]  # no field has this name


def test_problems_of_single_values_come_in_the_order_of_their_keys() -> None:
    found = problems(values("hub", subscription="a", **{"hub.runners.size": "b", "budget.start": "c", "zone": "d"}))
    assert list(found) == ["budget.start", "hub.runners.size", "subscription", "zone"]


PLACEHOLDERS = {
    "hub": {
        "subscription", "tenant", "repository", "budget.contacts[0]", "hub.infrastructureRepository",
        "hub.protection.reviewers[0]", "hub.protection.reviewers[1]", "hub.runners.agent.sha256",
    },
    "dev": {
        "subscription", "tenant", "repository", "budget.contacts[0]", "environments.dev.machine.image",
        "environments.dev.protection.reviewers[0]", "environments.dev.machine.k3s.binarySha256",
        "environments.dev.machine.k3s.installScriptSha256",
    },
    "dev-kubevirt": {
        "subscription", "tenant", "repository", "kubevirt.release", "kubevirt.probeImage", "kubevirt.prometheusImage",
    },
    "kontain": {
        "subscription", "tenant", "repository", "budget.contacts[0]", "runners.agent.sha256", "runners.aws.account",
    },
}  # fmt: skip


@pytest.mark.parametrize("stack", PLACEHOLDERS)
def test_placeholders_are_refused_by_name_outside_a_rehearsal(stack: str) -> None:
    found = problems(values(stack), rehearsal=False)
    assert found.keys() == PLACEHOLDERS[stack]
    for key, problem in found.items():
        assert f"'virt-ci:{key}'" in problem.fix
        assert "belongs to nobody" in problem.consequence


@pytest.mark.parametrize("stack", STACKS)
def test_real_values_are_good_outside_a_rehearsal(stack: str) -> None:
    assert problems(real_values(stack), rehearsal=False) == {}


@pytest.mark.parametrize(
    "fault",
    [
        {"hub.infrastructureRepository": "nonsense"},
        {"hub.protection.branches": ABSENT},
        {"hub.runners": ABSENT},
        {"budget.start": "never"},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_placeholders_are_refused_beside_other_faults(fault: dict[str, Any]) -> None:
    found = problems(values("hub", **fault), rehearsal=False)
    hidden = {key for key in PLACEHOLDERS["hub"] if any(key.startswith(path) for path in fault)}
    assert PLACEHOLDERS["hub"] - hidden <= found.keys()


@pytest.mark.parametrize(
    ("attached", "rehearsal"),
    [("azure-native:4711,github:4712", True), ("github:4712", False), ("", False), (None, False)],
)
def test_rehearsal_is_known_by_the_attached_clouds(
    attached: str | None, rehearsal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_DEBUG_PROVIDERS", raising=False)
    if attached is not None:
        monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", attached)
    assert is_rehearsal() is rehearsal


def file(folder: Path, text: str) -> ProblemsError:
    path = folder / "Pulumi.dev.yaml"
    path.write_text(text)
    with pytest.raises(ProblemsError) as caught:
        from_file(path, rehearsal=True)
    return caught.value


@pytest.mark.parametrize("text", ["", "config:", "config: []", "- a\n- b", "config: {}"])
def test_file_without_a_configuration_lacks_every_required_key(text: str, tmp_path: Path) -> None:
    required = {field.alias for field in Settings.model_fields.values() if field.is_required()}
    assert {problem.key for problem in file(tmp_path, text).problems} >= required


def test_file_that_is_not_yaml_is_a_problem_with_a_line(tmp_path: Path) -> None:
    (problem,) = file(tmp_path, "config:\n  virt-ci:region: [westus\n").problems
    assert (problem.key, problem.rule) == ("Pulumi.dev.yaml", "a stack file is YAML")
    assert "line 3" in str(problem.value)


def test_problems_name_the_file(tmp_path: Path) -> None:
    assert str(file(tmp_path, "config: {}")).startswith("Pulumi.dev.yaml: ")


def test_subject_of_a_running_program_is_its_stack() -> None:
    with pytest.raises(ProblemsError, match=r"stack dev: \d+ problems"):
        load({}, "stack dev", rehearsal=True)
