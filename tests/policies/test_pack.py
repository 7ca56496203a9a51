"""The pack as the engine meets it: metadata, configuration, levels and start."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import struct_pb2
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy
from pulumi_policy.policy import _PolicyAnalyzerServicer

from components.runner_roles import BOOT_TAGGER, REGION_READER, REGISTRATION, ROLES
from policies import registry
from tests.policies.good import good
from tests.policies.harness import UNKNOWN, all_policies, configuration, urn_of
from virtci.core.inventory import MACHINE
from virtci.core.runners.clouds import UNIT_VCPUS

PACK = Path(registry.__file__).parent
ROOT = PACK.parent
STACKS = ("hub", "dev", "test")
CLUSTER_STACKS = ("dev-kubevirt", "test-mshv-kubevirt", "test-kvm-kubevirt", "test-emulation-kubevirt")
ON_DEMAND = ("kontain", "runner")
"""What on-demand runners stand on, and one machine of them."""
MODULES = {file.stem for file in PACK.glob("*.py")} - set(registry.HELPERS)
NAMES = sorted(all_policies())
SECONDS_TO_START = 10
"""Far above what it takes, because test machines are slow."""


def declared(stack: str) -> dict[str, Any]:
    """The stack file without the project's prefix."""
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("virt-ci:"): value for key, value in content.items()}


def test_each_file_holds_the_one_rule_that_it_is_named_after() -> None:
    assert [name.replace("-", "_") for name in NAMES] == sorted(MODULES)


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_says_what_it_is_for(name: str) -> None:
    policy = all_policies()[name]
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name)
    assert policy.description.endswith(".")
    assert policy.severity is not None
    module = sys.modules[f"policies.{name.replace('-', '_')}"]
    assert module.faults.__doc__
    assert "rotects" in module.faults.__doc__
    assert not policy.framework or policy.framework.reference


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_type(name: str) -> None:
    schema = all_policies()[name].config_schema
    for key, value in (schema.properties if schema else {}).items():
        assert value["type"] in ("string", "number", "array", "object")
        assert ("default" in value) != (key in schema.required)


@pytest.mark.parametrize("stack", [*STACKS, *CLUSTER_STACKS, *ON_DEMAND])
def test_the_configuration_names_policies_and_settings_that_exist(stack: str) -> None:
    """The engine takes a misspelt name without a word."""
    for name, given in configuration(stack).items():
        settings = set(given) - {"enforcementLevel"}
        if name == "all":
            assert given == {"enforcementLevel": "mandatory"}
        else:
            assert settings <= set(all_policies()[name].config_schema.properties)


@pytest.mark.parametrize("stack", [*STACKS, *CLUSTER_STACKS, *ON_DEMAND])
def test_the_configuration_has_what_must_be_configured(stack: str) -> None:
    required = {
        (name, key)
        for name, policy in all_policies().items()
        for key in (policy.config_schema.required if policy.config_schema else ())
    }
    assert {(name, key) for name, given in configuration(stack).items() for key in given} >= required


@pytest.mark.parametrize("stack", STACKS)
def test_limits_are_those_of_the_stack_file(stack: str) -> None:
    content, config = declared(stack), configuration(stack)
    quota = content["quota"]
    assert config["quota"] == {
        "region": content["region"],
        "limits": {"cores": quota["cores"], **quota["families"]},
        **({"reserve": quota["reserve"]} if "reserve" in quota else {}),
    }
    assert config["cost-budget"]["monthlyUsd"] == content["budget"]["monthlyUsd"]
    assert config["regions-allowed"]["allowed"] == [content["region"]]
    assert config["tagging"]["allowed"] == {
        "owner": [content["owner"]],
        "system": [content["system"]],
        "environment": list(content.get("environments", ())) or ["shared"],
        "stack": [stack],
    }


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_limits_inside_a_cluster_are_those_of_the_stack_file(stack: str) -> None:
    """It declares nothing that needs vCPU or costs anything, so it has a share of nothing."""
    content, config = declared(stack), configuration(stack)
    kubevirt = content["kubevirt"]
    assert config["quota"] == {"region": content["region"], "limits": {"cores": 0}}
    assert config["regions-allowed"]["allowed"] == [content["region"]]
    assert config["kubevirt-gate"] == {"environment": kubevirt["environment"]}
    assert all(kubevirt["prometheusImage"].startswith(name) for name in config["kubernetes-images"]["registries"])
    assert config["tagging"]["allowed"] == {
        "owner": [content["owner"]],
        "system": [content["system"]],
        "environment": [kubevirt["environment"]],
        "stack": [stack],
    }


def test_limits_of_on_demand_runners_are_those_of_the_stack_file() -> None:
    """It declares no machine, so it has a share of nothing; what its slots can need at once is a rule of its own."""
    content, config = declared("kontain"), configuration("kontain")
    places, aws = (content["runners"][cloud]["regions"] for cloud in ("azure", "aws"))
    assert config["quota"] == {"region": content["region"], "limits": {"cores": 0}}
    assert config["runner-slots"]["regions"] == {
        region: {"cores": place["cores"], "reserve": place.get("reserve", UNIT_VCPUS)}
        for region, place in places.items()
    } | {
        region: {"cores": place["vcpus"], "reserve": place.get("reserve", UNIT_VCPUS)} for region, place in aws.items()
    }
    assert config["regions-allowed"]["aws"] == configuration("runner")["regions-allowed"]["aws"] == list(aws)
    assert config["cost-budget"]["monthlyUsd"] == content["budget"]["monthlyUsd"]
    assert set(config["regions-allowed"]["allowed"]) >= {content["region"], *places}
    assert config["storage-closed"]["reachable"] == [content["runners"]["azure"]["stateAccount"]]
    assert config["tagging"]["allowed"] == {
        "owner": [content["owner"]],
        "system": [content["system"]],
        "environment": ["runners"],
        "stack": ["kontain"],
    }


def test_roles_of_on_demand_runners_are_those_that_the_program_makes() -> None:
    config = configuration("kontain")
    of_machines = {REGISTRATION.name, BOOT_TAGGER.name}
    assert set(config["role-assignment-least-privilege"]["customRoles"]) == {role.name for role in ROLES}
    assert set(config["federated-pull-request"]["customRoles"]) == {role.name for role in ROLES} - of_machines
    assert config["role-assignment-least-privilege"]["subscriptionRoles"] == [REGION_READER.name]


def test_limits_of_one_machine_leave_what_the_stack_file_keeps_free() -> None:
    content, config = declared("kontain"), configuration("runner")
    ((region, place),) = content["runners"]["azure"]["regions"].items()
    limits = {"cores": place["cores"], **place["families"]}
    assert config["quota"] == {"region": region, "limits": {name: limit - UNIT_VCPUS for name, limit in limits.items()}}
    assert config["regions-allowed"]["allowed"] == [region]


def test_management_is_the_subnet_of_the_runners() -> None:
    subnets = declared("hub")["hub"]["network"]["subnets"]
    assert configuration("hub")["nsg-no-lateral"]["management"] == [subnets["runners"]]


def test_the_version_is_that_of_the_cluster() -> None:
    clusters = [item["cluster"] for item in declared("test")["environments"].values() if "cluster" in item]
    assert [configuration("test")["aks-version"]["minimum"]] == [cluster["kubernetesVersion"] for cluster in clusters]


def test_the_shares_of_all_stacks_add_up_to_what_the_subscription_needs() -> None:
    shares: Counter[str] = Counter()
    for stack in STACKS:
        shares.update(configuration(stack)["quota"]["limits"])
    assert shares == {"cores": 132, "standardDSv5Family": 120, "standardDDSv5Family": 12}


@pytest.fixture
def servicer() -> _PolicyAnalyzerServicer:
    """The SDK's own server of the pack, which is private and the only thing that gives levels."""
    return _PolicyAnalyzerServicer("virt-ci", "0.1.0", registry.policies(), EnforcementLevel.MANDATORY)


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """Properties as they travel."""
    found = struct_pb2.Struct()
    found.update(values)
    return found


def test_an_unknown_value_is_a_mandatory_violation_and_no_advice(servicer: _PolicyAnalyzerServicer) -> None:
    """A rule that touches an unknown value carelessly is turned into advice by the SDK."""
    machine = good(MACHINE, "vm", {"hardwareProfile.vmSize": UNKNOWN, "osProfile": UNKNOWN})
    limits = {"region": "westus", "limits": {"cores": 100.0}}
    given = proto.PolicyConfig(enforcementLevel=proto.MANDATORY, properties=struct(limits))
    servicer.Configure(proto.ConfigureAnalyzerRequest(policyConfig={"quota": given}), None)
    resource = proto.AnalyzerResource(
        type=machine.type, name="vm", urn=urn_of(machine), properties=struct(dict(machine.props))
    )
    stack = servicer.AnalyzeStack(proto.AnalyzeStackRequest(resources=[resource]), None)
    alone = servicer.Analyze(
        proto.AnalyzeRequest(type=machine.type, name="vm", urn=urn_of(machine), properties=struct(dict(machine.props))),
        None,
    )
    found = {item.policyName: item for item in (*stack.diagnostics, *alone.diagnostics)}
    assert "hardwareProfile.vmSize is not known" in found["quota"].message
    assert {"quota", "vm-ssh-keys-only", "vm-no-extensions"} <= set(found)
    assert not any("can't run policy" in item.message for item in found.values())
    assert {item.enforcementLevel for item in found.values()} == {proto.MANDATORY}
    assert found["quota"].urn == urn_of(machine)


def test_the_engine_learns_of_all_rules_and_their_settings(servicer: _PolicyAnalyzerServicer) -> None:
    info = servicer.GetAnalyzerInfo(None, None)
    assert sorted(item.name for item in info.policies) == NAMES
    assert {item.enforcementLevel for item in info.policies} == {proto.MANDATORY}
    assert "region" in next(item for item in info.policies if item.name == "quota").configSchema.properties


@pytest.fixture(scope="module")
def first_line() -> Iterator[tuple[str, float]]:
    """What the pack prints first, as the engine starts it, and after how many seconds."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."]
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=PACK, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        yield line, time.monotonic() - started
        process.terminate()


def test_the_pack_starts_and_prints_its_port_only(first_line: tuple[str, float]) -> None:
    line, seconds = first_line
    assert re.fullmatch(r"\d+\n", line)
    assert seconds < SECONDS_TO_START


def test_the_pack_imports_no_provider_and_no_settings() -> None:
    """They would cost every preview seconds."""
    code = (
        "import sys; from policies.registry import policies; policies(); "
        "print([name for name in ('pulumi_azure_native', 'pulumi_github', 'pydantic', 'components') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_both_kinds_of_rules_are_there() -> None:
    kinds = Counter(isinstance(policy, ResourceValidationPolicy) for policy in all_policies().values())
    assert kinds[True] > kinds[False] > 0
