"""The doctor finds what is missing before anything is made, each with its fix, and takes no silence for a yes."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.committed import ROOT
from virtci.cli import doctor as command
from virtci.cli.main import main
from virtci.fleet import doctor
from virtci.fleet.clouds import Clouds, RehearsedClouds, github
from virtci.fleet.doctor import Finding, State
from virtci.rehearsal import clock
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.journal import Fault, FaultPlan
from virtci.rehearsal.world import World, azure_scenario, read_stacks, world
from virtci.settings.models import Settings

STACKS = ("hub", "dev", "test")
GALLERY = "*/galleries/images/images/dom0qemu"


@dataclass
class Ward:
    """The clouds before the first deployment, and the stacks that are to be deployed."""

    world: World
    clouds: Clouds
    stacks: Mapping[str, Settings]

    def azure(self) -> list[Finding]:
        return list(doctor.azure_findings(self.clouds, self.stacks))

    def github(self) -> list[Finding]:
        with github() as client:
            return list(doctor.github_findings(client, self.stacks))


@contextmanager
def ward(
    monkeypatch: pytest.MonkeyPatch, *faults: Fault, names: tuple[str, ...] = STACKS, **scenario: Any
) -> Iterator[Ward]:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    stacks = read_stacks(names)
    found = azure_scenario(read_stacks(STACKS)).model_copy(update=scenario)
    with world(read_stacks(STACKS), FaultPlan(faults=faults), found) as simulated, serve(simulated.azure) as azure:
        monkeypatch.setenv("GITHUB_API_URL", simulated.github_url)
        subscription = next(iter(stacks.values())).subscription
        clouds = Clouds(subscription, RehearsedClouds.model_validate({"resourceManager": azure.url}))
        yield Ward(simulated, clouds, stacks)


def missing(found: list[Finding]) -> dict[str, Finding]:
    return {item.what: item for item in found if item.state is not State.OK}


def test_a_subscription_that_has_everything_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch) as on:
        azure, hub = on.azure(), on.github()

    assert missing(azure) == {}
    assert missing(hub) == {}
    assert {item.what for item in azure} == {
        "Azure login", "subscription", "resource providers", "quota", "image", "sizes", "runner image", "vault name",
    }  # fmt: skip
    texts = [item.text for item in hub]
    assert texts.count("can be administered") == 2
    assert "rehearsal-reviewer-1 exists" in texts


def test_a_login_that_is_not_there_ends_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import CredentialUnavailableError

    class Nobody:
        def get_token(self, *_: str) -> None:
            raise CredentialUnavailableError("DefaultAzureCredential failed to retrieve a token")

    with ward(monkeypatch) as on:
        on.clouds.__dict__["credential"] = Nobody()
        found = on.azure()

    assert [(item.what, item.state) for item in found] == [("Azure login", State.MISSING)]
    assert found[0].fix.startswith("log in: `az login`")


def test_a_subscription_of_another_tenant_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, tenant="00000000-0000-0000-0000-0000000000ff") as on:
        found = missing(on.azure())

    assert found["subscription"].state is State.MISSING
    assert "tenant 00000000-0000-0000-0000-0000000000ff, the stack file says" in found["subscription"].text


def test_a_provider_that_is_not_registered_gets_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, unregistered=frozenset({"Microsoft.ContainerService"})) as on:
        found = missing(on.azure())

    assert found["resource provider"].fix == "az provider register --namespace Microsoft.ContainerService --wait"


def test_only_the_providers_of_what_is_declared_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, names=("dev",), unregistered=frozenset({"Microsoft.ContainerService"})) as on:
        found = missing(on.azure())

    assert found == {}


def test_a_quota_that_is_too_small_says_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stacks need 16 (of them 4 in reserve), 8 and 108; the subscription has 100 in total."""
    limits = {"westus": {"cores": 100, "standardDSv5Family": 200, "standardDDSv5Family": 200}}
    with ward(monkeypatch, limits=limits) as on:
        found = [item for item in on.azure() if item.what == "quota"]

    short = [item for item in found if item.state is State.MISSING]
    assert len(short) == 1
    assert short[0].text.startswith("the regional total in westus: ")
    assert short[0].text.split(": ")[1].startswith("132 vCPU needed")
    assert short[0].fix == "ask for 32 more; docs/runbooks/quota-hit.md"


def test_what_is_deployed_already_does_not_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, names=("dev",), limits={"westus": {"cores": 8, "standardDSv5Family": 8}}) as on:
        before = missing(on.azure())
        own, foreign = "kubevirt-dev-mshv-qemu-k3s-vm", "somebody-elses-vm"
        store = on.world.azure.store
        group = f"/subscriptions/{on.clouds.subscription}/resourceGroups/rg"
        properties = {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}}
        body = {"location": "westus", "properties": properties}
        store.add(f"{group}/providers/Microsoft.Compute/virtualMachines/{own}", dict(body))
        deployed = missing(on.azure())
        store.add(f"{group}/providers/Microsoft.Compute/virtualMachines/{foreign}", dict(body))
        crowded = missing(on.azure())

    assert before == deployed == {}
    assert "0 can be had" in crowded["quota"].text


def test_a_limit_that_azure_does_not_name_is_unknown_and_not_enough_for_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, names=("dev",), limits={"westus": {"cores": 8}}) as on:
        found = missing(on.azure())

    assert found["quota"].state is State.UNKNOWN
    assert "standardDSv5Family" in found["quota"].text


def test_an_image_that_is_not_shared_with_this_login_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, images=frozenset()) as on:
        found = missing(on.azure())

    assert found["image"].state is State.MISSING
    assert "Compute Gallery Image Reader" in found["image"].fix
    assert "403" in found["image"].text


def test_an_image_that_cannot_be_asked_for_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Fault(operation="GET", target=GALLERY, status=503, code="ServiceUnavailable")
    with ward(monkeypatch, broken) as on:
        found = missing(on.azure())

    assert found["image"].state is State.UNKNOWN
    assert "503" in found["image"].text


def test_a_runner_image_that_the_region_does_not_offer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, marketplace=frozenset()) as on:
        found = missing(on.azure())

    assert found["runner image"].state is State.MISSING
    assert found["runner image"].fix.startswith("az vm image list --location westus --publisher Canonical")


def test_a_vault_name_that_somebody_has_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ward(monkeypatch, taken_names=frozenset({"Microsoft.KeyVault/vaults:kubevirtkv"})) as on:
        found = missing(on.azure())

    assert found["vault name"].state is State.MISSING
    assert "vault-name-soft-deleted.md" in found["vault name"].fix


def test_a_size_that_the_subscription_does_not_get_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from virtci.rehearsal.azure import tables

    offers = tables.offers
    monkeypatch.setattr(tables, "offers", lambda region, size: size != "Standard_D64s_v5" and offers(region, size))
    with ward(monkeypatch) as on:
        found = missing(on.azure())

    assert found["size"].text == "Standard_D64s_v5 is not offered to this subscription in westus"


def test_a_repository_that_the_token_does_not_see_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Fault(cloud="github", operation="GET", target="/repos/rehearsal-org/kubevirt", status=404, times=9)
    with ward(monkeypatch, hidden) as on:
        found = missing(on.github())

    assert found["GitHub rehearsal-org/kubevirt"].text == "`visible` is not so: GitHub says 404"
    assert "Administration" in found["GitHub rehearsal-org/kubevirt"].fix


def test_a_token_that_may_not_administer_a_repository_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = Fault(
        cloud="github", operation="POST", target="*/virt-ci/actions/runners/registration-token", status=403
    )
    with ward(monkeypatch, read_only) as on:
        found = missing(on.github())

    assert found["GitHub rehearsal-org/virt-ci"].text == "`can be administered` is not so: GitHub says 403"


def test_a_reviewer_whom_github_does_not_know_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Fault(cloud="github", operation="GET", target="/users/rehearsal-reviewer-2", status=404)
    with ward(monkeypatch, gone) as on:
        found = missing(on.github())

    assert found["GitHub reviewer"].text == "rehearsal-reviewer-2 is not on GitHub"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the engine answers; the real one is started by the tests that are about it."""
    answers = {"version": "v3.259.0", "stack": "[]"}
    monkeypatch.setattr(command, "_pulumi", lambda *arguments: answers[arguments[0]])
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///state")
    return answers


def diagnosed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *arguments: str,
    **scenario: Any,
) -> tuple[int, str]:
    with ward(monkeypatch, **scenario) as on:
        assert on.clouds.rehearsed is not None
        file = tmp_path / "clouds.json"
        file.write_text(on.clouds.rehearsed.model_dump_json(by_alias=True))
        monkeypatch.setenv("VIRTCI_CLOUDS", str(file))
        code = main(["doctor", *arguments])
    return code, capsys.readouterr().out


def test_the_command_says_that_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: dict[str, str]
) -> None:
    code, shown = diagnosed(monkeypatch, capsys, tmp_path)

    assert code == 0
    assert "MISSING" not in shown
    assert engine["version"].removeprefix("v") in shown


def test_the_command_says_what_is_missing_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: dict[str, str]
) -> None:
    engine |= {"version": "v3.1.0", "stack": ""}

    code, shown = diagnosed(monkeypatch, capsys, tmp_path, "dev", images=frozenset())

    assert code == 2
    assert "MISSING  engine: 3.1.0, needed 3.259.0\n         fix: make setup" in shown
    assert "MISSING  backend: file:///state does not answer" in shown
    assert "MISSING  image: /subscriptions/" in shown
    assert "kubevirt-e2e" not in shown


def test_the_command_tells_tools_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: dict[str, str]
) -> None:
    assert engine
    monkeypatch.delenv("GITHUB_TOKEN")
    code, shown = diagnosed(monkeypatch, capsys, tmp_path, "dev", "--json")

    found = {item["what"]: item for item in json.loads(shown)}
    assert code == 2
    assert found["GitHub token"]["state"] == "missing"
    assert found["quota"]["state"] == "ok"


def test_a_stack_file_with_problems_is_a_matter_for_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    content = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    del content["config"]["virt-ci:region"]
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(command, "stack_file", lambda name: tmp_path / f"Pulumi.{name}.yaml")

    assert main(["doctor", "dev"]) == 2
    assert "region" in capsys.readouterr().err


@pytest.mark.engine
def test_the_real_engine_and_a_real_backend_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    monkeypatch.setenv("PATH", f"{ROOT / '.engine' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    good = command._engine(), command._backend()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/not-there")
    bad = command._backend()
    monkeypatch.delenv("PULUMI_BACKEND_URL")

    assert [item.state for item in good] == [State.OK, State.OK]
    assert bad.state is State.MISSING
    assert command._backend().text == "PULUMI_BACKEND_URL is not set"
