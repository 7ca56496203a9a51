"""On-demand runners: what they stand on is deployed, then a machine of a run, by the real engine with the real policies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

from tests.rehearsal.azure.accounts import container_client
from tests.rehearsal.stage import Stage, kinds, stage
from tests.settings.test_runner_faults import MACHINE
from virtci.core.runners.tags import read_run_tags
from virtci.outputs.check import contract_faults, read
from virtci.outputs.contract import AzureRunnersPart
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS, allows
from virtci.rehearsal.azure.blobs import Blobs, contents, serve_blobs
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.engine import Run

pytestmark = pytest.mark.engine

RUN = "run-azure-4711-1-1"
SLOT, OTHER = "auto-runner-westus-01", "auto-runner-westus-02"
SHARED = "auto-github-runner"


@dataclass
class Substrate:
    """The deployed stack `kontain`, and who launches."""

    on: Stage
    azure: AzureRunnersPart

    @property
    def groups(self) -> str:
        return f"/subscriptions/{self.azure.subscription}/resourceGroups"

    @property
    def launcher(self) -> str:
        return self.azure.launcher.principal_id

    def ask(self, method: str, target: str, body: Values | None = None, principal: str = "") -> Values:
        """A request to Resource Manager that is carried out."""
        response = self.on.world.azure.request(method, target, body, principal)
        assert response.status < 300, response.body
        return response.body or {}

    def refused(self, method: str, target: str, body: Values | None = None, principal: str = "") -> str:
        """The code of the refusal of a request, which by default is the launcher's."""
        response = self.on.world.azure.request(method, target, body, principal or self.launcher)
        return str((response.body or {}).get("error", {}).get("code", ""))

    def compute(self, kind: str, name: str, group: str = SLOT) -> str:
        return f"{self.groups}/{group}/providers/Microsoft.Compute/{kind}/{name}"

    def interface(self, group: str = SLOT) -> tuple[str, Values]:
        """An interface in the machines' subnet: where it is, and what it is."""
        subnet = {"id": self.azure.regions["westus"].subnet_id}
        body = {"properties": {"ipConfigurations": [{"name": "private", "properties": {"subnet": subnet}}]}}
        return f"{self.groups}/{group}/providers/Microsoft.Network/networkInterfaces/by-hand-nic", {
            "location": "westus",
            **body,
        }

    def declare(self, name: str = RUN, **changes: Any) -> None:
        """The configuration of one machine's stack, as the launcher writes it."""
        place = self.azure.regions["westus"]
        content = yaml.safe_load((self.on.workspace.project / "Pulumi.kontain.yaml").read_text())["config"]
        for key in ("virt-ci:runners", "virt-ci:budget"):
            del content[key]
        version = f"{self.azure.gallery_image_id}/versions/2026.11.1"
        content["virt-ci:runner"] = {
            **MACHINE, "slot": SLOT, "subnet": place.subnet_id, "vault": self.azure.vault.uri, "image": version, **changes,
        }  # fmt: skip
        (self.on.workspace.project / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": content}))


def in_azure(config: dict[str, Any]) -> None:
    """The Azure half alone, with room for three machines."""
    config["virt-ci:runners"].pop("aws", None)
    config["virt-ci:runners"]["azure"]["regions"]["westus"]["cores"] = 16


@pytest.fixture(scope="module")
def substrate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Substrate]:
    with stage(tmp_path_factory.mktemp("kontain"), ("kontain",), edits={"kontain": in_azure}) as on:
        assert on.workspace.preview("kontain").mandatory == []
        on.up("kontain")
        outputs = on.workspace.outputs("kontain")
        assert contract_faults(outputs) == []
        runners = read(outputs).runners
        assert runners
        assert runners.azure
        found = Substrate(on, runners.azure)
        build_image(found)
        on.world.clock.advance(PROPAGATION_SECONDS)
        yield found


def build_image(substrate: Substrate) -> None:
    """A version of the image, as a build leaves it."""
    disk = substrate.compute("disks", "build", SHARED)
    substrate.ask("PUT", disk, {
        "location": "westus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 30},
    })  # fmt: skip
    source = {"osDiskImage": {"source": {"id": disk}}}
    version = f"{substrate.azure.gallery_image_id}/versions/2026.11.1"
    substrate.ask("PUT", version, {"location": "westus", "properties": {"storageProfile": source}})


@dataclass(frozen=True)
class Made:
    """A machine that the engine made for a run."""

    preview: Run
    run: Run
    again: Run
    id: str
    outputs: Values


@pytest.fixture(scope="module")
def made(substrate: Substrate) -> Iterator[Made]:
    substrate.declare()
    workspace = substrate.on.workspace
    preview, run = workspace.preview(RUN), substrate.on.up(RUN)
    outputs = workspace.outputs(RUN)["runner"]
    yield Made(preview, run, workspace.preview(RUN, policies=False), outputs["id"], outputs)
    assert workspace.destroy(RUN).succeeded
    left = [
        item
        for item in substrate.on.world.azure.remaining()
        if f"/{SLOT}/" in item and "/Microsoft.Authorization/" not in item
    ]
    assert [item.rsplit("/", 2)[1] for item in left] == ["userAssignedIdentities"]


def test_there_are_as_many_slots_as_units(substrate: Substrate) -> None:
    assert list(substrate.azure.regions["westus"].slots) == [f"auto-runner-westus-0{number}" for number in (1, 2, 3)]


def test_a_machine_of_a_run_keeps_the_policies_and_stays_as_it_is(made: Made) -> None:
    assert made.preview.verdicts == []
    assert [name.split("|")[0] for name in made.preview.policies] == ["virt-ci"]
    assert kinds(made.run, "create") == [
        "azure-native:compute:VirtualMachine", "azure-native:network:NetworkInterface", "pulumi:providers:azure-native",
        "pulumi:pulumi:Stack", "virt-ci:runner:AzureRunner",
    ]  # fmt: skip
    assert made.again.changes == {}
    assert made.outputs == {"id": made.id, "name": RUN, "slot": SLOT, "privateAddress": "10.70.0.4"}


def test_launcher_and_sweeper_know_it_by_its_tags(substrate: Substrate, made: Made) -> None:
    tags = read_run_tags(substrate.ask("GET", made.id)["tags"], "kontain")
    assert tags
    assert (tags.stack, tags.run, tags.slot, tags.label) == (RUN, MACHINE["run"], SLOT, MACHINE["label"])


def test_a_machine_that_breaks_a_limit_is_refused_before_it_is_made(substrate: Substrate) -> None:
    name = "run-azure-4712-1-1"
    substrate.declare(name, region="eastus", slot="auto-runner-eastus-01")
    found = {verdict.policy for verdict in substrate.on.workspace.preview(name).mandatory}
    assert found == {"regions-allowed", "quota"}


def test_a_machine_reads_and_overwrites_its_own_registration_and_no_other(substrate: Substrate) -> None:
    store, found = substrate.on.world.azure.store, {}
    principal = substrate.ask("GET", substrate.azure.regions["westus"].slots[SLOT].identity_id)["properties"][
        "principalId"
    ]
    for slot in (SLOT, OTHER):
        scope = f"{substrate.azure.vault.resource_id}/secrets/{slot}-registration"
        actions = {
            name: f"Microsoft.KeyVault/vaults/secrets/{name}"
            for name in ("getSecret/action", "setSecret/action", "delete")
        }
        found[slot] = {name for name, action in actions.items() if allows(store, principal, action, scope, data=True)}
    assert found == {SLOT: {"getSecret/action", "setSecret/action"}, OTHER: set()}


def test_a_machine_tags_itself_and_changes_nothing(substrate: Substrate, made: Made) -> None:
    principal = substrate.ask("GET", substrate.azure.regions["westus"].slots[SLOT].identity_id)["properties"][
        "principalId"
    ]
    tags = {"operation": "Merge", "properties": {"tags": {"bootstage": "probed"}}}
    default = "providers/Microsoft.Resources/tags/default"

    substrate.ask("PATCH", f"{made.id}/{default}", tags, principal)

    assert substrate.refused("PATCH", f"{substrate.groups}/{OTHER}/{default}", tags, principal) == "AuthorizationFailed"
    assert substrate.refused("DELETE", made.id, None, principal) == "AuthorizationFailed"


def keep(substrate: Substrate, machine: str) -> str:
    """The snapshot of a machine's disk, as the launcher makes it."""
    launcher, kept = substrate.launcher, substrate.compute("snapshots", RUN, f"{SHARED}-kept")
    disk = substrate.ask("GET", machine, None, launcher)["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]
    copy = {"creationData": {"createOption": "Copy", "sourceResourceId": disk}, "incremental": True}
    substrate.ask("PUT", kept, {"location": "westus", "properties": copy}, launcher)
    return kept


def test_a_kept_machine_comes_back_with_all_policies_and_nobodys_identity(substrate: Substrate, made: Made) -> None:
    name, kept, workspace = "run-azure-4713-1-1", keep(substrate, made.id), substrate.on.workspace
    revive = {"snapshot": kept, "keepUntil": "2026-01-12T08:00:00Z"}
    comes_back = {"slot": OTHER, "image": "", "keys": [], "revive": revive}
    substrate.declare(name, **comes_back)

    preview, run = workspace.preview(name), substrate.on.up(name)

    assert preview.verdicts == []
    assert "azure-native:compute:Disk" in kinds(run, "create")
    assert workspace.preview(name, policies=False).changes == {}
    machine = substrate.ask("GET", substrate.compute("virtualMachines", name, OTHER))
    tags = read_run_tags(machine["tags"], "kontain")
    assert tags
    assert (tags.slot, str(tags.keep_until)) == (OTHER, "2026-01-12 08:00:00+00:00")
    assert not {"identity", "osProfile"} & {*machine, *machine["properties"]}

    substrate.declare(name, deadline="2026-01-01T10:00:00Z", **comes_back)
    longer = workspace.up(name)

    assert longer.succeeded
    assert set(longer.changes.values()) == {"update"}
    assert substrate.ask("GET", machine["id"])["tags"]["deadline"] == "2026-01-01T10:00:00Z"
    assert workspace.destroy(name).succeeded
    assert not [
        item
        for item in substrate.on.world.azure.remaining()
        if f"/{OTHER}/providers/" in item
        and "/Microsoft.Authorization/" not in item
        and "/Microsoft.Managed" not in item
    ]
    substrate.ask("GET", kept)
    substrate.ask("DELETE", kept)


def test_the_launcher_keeps_the_disk_of_a_machine_and_brings_it_back(substrate: Substrate, made: Made) -> None:
    """What it may do is enough for evidence and revival, in the slot of another machine."""
    launcher, kept = substrate.launcher, keep(substrate, made.id)

    back, (place, interface) = substrate.compute("disks", "revived-os", OTHER), substrate.interface(OTHER)
    restored = {"creationData": {"createOption": "Copy", "sourceResourceId": kept}}
    substrate.ask("PUT", back, {"location": "westus", "properties": restored}, launcher)
    substrate.ask("PUT", place, interface, launcher)
    revived = substrate.compute("virtualMachines", "revived", OTHER)
    substrate.ask("PUT", revived, attached(back, place), launcher)

    for target in (revived, place, back, kept):
        substrate.ask("DELETE", target, None, launcher)


def attached(disk: str, interface: str) -> Values:
    """A machine around a disk that is there."""
    os_disk = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": disk}}
    return {
        "location": "westus",
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
            "storageProfile": {"osDisk": os_disk},
            "networkProfile": {"networkInterfaces": [{"id": interface}]},
        },
    }


def test_the_launcher_can_do_nothing_else(substrate: Substrate) -> None:
    place, interface = substrate.interface(SHARED)
    assert substrate.refused("PUT", place, interface) == "AuthorizationFailed"
    network = substrate.azure.regions["westus"].subnet_id.rsplit("/subnets/", 1)[0]
    assert substrate.refused("PUT", network, {"location": "westus"}) == "AuthorizationFailed"
    role = f"{substrate.groups}/{SLOT}/providers/Microsoft.Authorization/roleAssignments/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    assert substrate.refused("PUT", role, {"properties": {}}) == "AuthorizationFailed"
    assert (
        substrate.refused("PUT", f"{substrate.azure.gallery_image_id}/versions/2026.11.2", {}) == "AuthorizationFailed"
    )
    assert substrate.refused("DELETE", substrate.azure.vault.resource_id) == "AuthorizationFailed"
    assert (
        substrate.refused("POST", f"{substrate.compute('virtualMachines', RUN)}/runCommand", {})
        == "AuthorizationFailed"
    )


def test_a_machine_takes_the_identity_of_its_own_slot_only(substrate: Substrate) -> None:
    """Here both slots are the launcher's; an identity elsewhere is not."""
    place, interface = substrate.interface()
    substrate.ask("PUT", place, interface, substrate.launcher)
    stolen = (
        f"{substrate.groups}/{SHARED}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/auto-runner-launcher"
    )
    body = {**attached(substrate.compute("disks", "none"), place)}
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {stolen: {}}}
    assert substrate.refused("PUT", substrate.compute("virtualMachines", "thief"), body) == "LinkedAuthorizationFailed"
    substrate.ask("DELETE", place, None, substrate.launcher)


def test_the_launcher_sees_usage_offers_and_images(substrate: Substrate) -> None:
    scope = substrate.groups.rsplit("/", 1)[0]
    usages = substrate.ask(
        "GET", f"{scope}/providers/Microsoft.Compute/locations/westus/usages", None, substrate.launcher
    )
    assert {item["name"]["value"]: item["limit"] for item in usages["value"]}["cores"] == 16
    assert substrate.ask("GET", f"{scope}/providers/Microsoft.Compute/skus", None, substrate.launcher)["value"]
    versions = substrate.ask("GET", f"{substrate.azure.gallery_image_id}/versions", None, substrate.launcher)
    assert [item["name"] for item in versions["value"]] == ["2026.11.1"]


def test_the_launcher_writes_registrations_and_never_reads_one(substrate: Substrate) -> None:
    secret = f"{substrate.azure.vault.resource_id}/secrets/{SLOT}-registration"
    substrate.ask("PUT", secret, {"properties": {"value": "token", "contentType": "text/plain"}}, substrate.launcher)
    assert "token" not in str(substrate.ask("GET", secret, None, substrate.launcher))
    store = substrate.on.world.azure.store
    assert not allows(
        store, substrate.launcher, "Microsoft.KeyVault/vaults/secrets/getSecret/action", secret, data=True
    )


def test_the_launcher_keeps_its_records(substrate: Substrate, tmp_path: Path) -> None:
    state, cloud = substrate.azure.state, substrate.on.world.azure
    with serve_blobs(Blobs(cloud, state.account), tmp_path) as served:
        for container in (state.records, state.stacks):
            client: ContainerClient = container_client(served, substrate.launcher, container)
            client.upload_blob("one.json", b"{}")
            assert contents(cloud, state.account, container) == {"one.json": b"{}"}
            client.delete_blob("one.json")
        slot = substrate.ask("GET", substrate.azure.regions["westus"].slots[SLOT].identity_id)["properties"][
            "principalId"
        ]
        with pytest.raises(HttpResponseError):
            container_client(served, slot, state.records).upload_blob("two.json", b"{}")
