"""The launcher of a deployment: everything from the output contract, nothing asked of anybody."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.runners.ec2_account import part as aws_part
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.leases import Claim
from virtci.fleet.runners import build
from virtci.fleet.runners.ports import RunnerCloud
from virtci.outputs.contract import Outputs
from virtci.places import stack_file
from virtci.settings.load import from_file

SLOTS = ("auto-runner-westus-01", "auto-runner-westus-02")
GROUP = "/subscriptions/00000000-0000-0000-0000-0000000000a1/resourceGroups/auto-github-runner"


def outputs(*, azure: bool = True, aws: bool = True) -> Outputs:
    """What the stack of the runners tells."""
    slot = {"identityId": f"{GROUP}/identity", "clientId": "c", "secret": "s"}
    region = {
        "subnetId": f"{GROUP}/subnet", "egressAddress": "192.0.2.1", "cores": 12, "families": {"standardDSv5Family": 12},
        "reserve": 4, "zones": ["1", "2"], "slots": {name: {**slot, "resourceGroup": name} for name in SLOTS},
    }  # fmt: skip
    in_azure: dict[str, Any] = {
        "subscription": "00000000-0000-0000-0000-0000000000a1",
        "resourceGroup": "auto-github-runner",
        "keptGroup": "auto-github-runner-kept",
        "launcher": {"clientId": "c", "principalId": "p"},
        "galleryImageId": f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/L0BaseImage",
        "vault": {"name": "v", "resourceGroup": "g", "resourceId": f"{GROUP}/v", "uri": "https://v.vault.azure.net"},
        "state": {"account": "a", "endpoint": "https://a.blob.core.windows.net", "stacks": "s", "records": "r"},
        "sizes": ["Standard_D4s_v5"],
        "regions": {"westus": region},
    }
    rules = {
        "repository": "rehearsal-org/km", "image": "L0BaseImage", "agent": {"version": "2.336.0", "sha256": "0" * 64},
        "keys": "cloud/azure/ssh", "serves": "run", "retentionDays": 7, "maximumHours": 6, "dailyBudgetUsd": 60,
        "azure": in_azure if azure else None, "aws": aws_part().model_dump(by_alias=True) if aws else None,
    }  # fmt: skip
    return Outputs.model_validate({"contractVersion": 1, "stack": "kontain", "region": "westus", "runners": rules})


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins of a rehearsal, at whose clouds nobody listens."""
    nobody = "https://127.0.0.1:9"
    (tmp_path / "clouds.json").write_text(
        json.dumps({"resourceManager": nobody, "aws": nobody, "blobs": {"a": nobody}})
    )
    monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "azblob://s?storage_account=a")


def desk(found: Outputs) -> build.Desk:
    return build.desk(found, from_file(stack_file("kontain"), True), ("ssh-ed25519 AAAA",), lambda _, __: None)


@pytest.mark.usefixtures("logins")
def test_a_launcher_has_both_clouds_and_the_rules_of_the_stack() -> None:
    launcher = desk(outputs()).launcher
    clouds: dict[Cloud, RunnerCloud] = dict(launcher.clouds)

    assert list(clouds) == [Cloud.AZURE, Cloud.EC2]
    assert [cloud.cloud for cloud in clouds.values()] == list(clouds)
    assert launcher.rules.tags.system == "kontain"
    assert launcher.rules.maximum.total_seconds() == 6 * 3_600


@pytest.mark.usefixtures("logins")
def test_a_stack_without_aws_has_one_cloud() -> None:
    assert list(desk(outputs(aws=False)).launcher.clouds) == [Cloud.AZURE]


def test_places_and_slots_are_those_of_the_contract() -> None:
    part = build.require_part(outputs())

    (azure,) = build.places(part)[Cloud.AZURE]
    assert (azure.region, azure.zones, azure.types) == ("westus", ("1", "2"), ("Standard_D4s_v5",))
    assert [place.zones for place in build.places(part)[Cloud.EC2]] == [
        ("us-east-2a", "us-east-2b"), ("us-west-2a", "us-west-2b"),
    ]  # fmt: skip
    assert build.pools(part)["azure-westus"] == SLOTS
    assert Claim(holder="run-azure-1-1-1", pool="azure-westus", units=1).pool in build.pools(part)


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize(
    ("variable", "said"), [("GITHUB_TOKEN", "GITHUB_TOKEN"), ("PULUMI_BACKEND_URL", "names the state")]
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, said: str) -> None:
    monkeypatch.delenv(variable)

    with pytest.raises(Refusal, match=said):
        desk(outputs())


@pytest.mark.usefixtures("logins")
def test_a_stack_without_azure_has_no_place_for_its_records() -> None:
    with pytest.raises(Refusal, match="has runners in Azure"):
        desk(outputs(azure=False))


def test_what_one_task_raises_is_raised_after_all_have_ended() -> None:
    done: list[int] = []

    def fails() -> None:
        raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        build.together(fails, lambda: done.append(1), lambda: done.append(2))
    assert sorted(done) == [1, 2]
