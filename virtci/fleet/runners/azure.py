"""On-demand machines in Azure at run time: what there is room for, what is there, how it boots, how it is registered.

Azure counts every machine that exists towards its quota, deallocated ones too (azure-compute-docs, quotas.md, 2026-01-16);
spot machines have a quota of their own, `lowPriorityCores`. Names of quotas are compared without regard to case.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from virtci.core.boot_tags import Boot, Reason, read_boot
from virtci.core.names import registration_secret
from virtci.core.problems import Refusal
from virtci.core.quota import REGIONAL
from virtci.core.runners.boot_record import USED, failure_of, waits_for_registration
from virtci.core.runners.clouds import UNIT_VCPUS, Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.images import require_latest
from virtci.core.runners.ladder import Rung
from virtci.core.runners.naming import STACK
from virtci.core.runners.sizes import machine_type
from virtci.core.runners.substrate import region_of_slot, require_entry
from virtci.core.runners.sweep import SeenMachine
from virtci.core.runners.tags import KEPT_UNTIL, RunTags, read_run_tags, untold
from virtci.core.tags import TagSet
from virtci.fleet.clouds import Clouds
from virtci.fleet.registration import write_secret
from virtci.fleet.runners import azure_evidence
from virtci.fleet.runners.answers import answering
from virtci.fleet.runners.azure_images import AzureImages
from virtci.fleet.runners.launcher import Observe
from virtci.fleet.runners.objects import Objects
from virtci.fleet.runners.ports import BootReport, Credential, StartFailed, Unanswered
from virtci.fleet.troubles import Denied
from virtci.outputs.contract import AzureRunnersPart

if TYPE_CHECKING:
    from azure.mgmt.compute.models import VirtualMachine
    from azure.mgmt.resource.resources.models import GenericResourceExpanded

SPOT_QUOTA = "lowPriorityCores"
OFF = ("stopped", "stopping", "deallocated", "deallocating")
MACHINES = "Microsoft.Compute/virtualMachines"
DISKS = "Microsoft.Compute/disks"
NETWORK_API = "2024-05-01"
"""Version by which interfaces, and what else a machine leaves, are deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureRunners:
    """The machines of runs in Azure; see `virtci.fleet.runners.ports.RunnerCloud`."""

    clouds: Clouds
    part: AzureRunnersPart
    image_name: str
    tags: TagSet
    objects: Objects
    observe: Observe

    @property
    def cloud(self) -> Cloud:
        """Azure."""
        return Cloud.AZURE

    @property
    def frees_by_deletion(self) -> bool:
        """A machine that is off counts as one that runs."""
        return True

    def room(self, rung: Rung) -> int:
        """Units that others leave of the region's total and of the family, or of what there is for spot machines."""
        with answering(f"the vCPU usage of {rung.region}"):
            found = list(self.clouds.compute.usage.list(rung.region))
        usages = {str(item.name.value).lower(): item for item in found}
        own = [machine for _, machine in self._machines(rung.region) if _is_spot(machine) == rung.spot]
        names = (SPOT_QUOTA,) if rung.spot else (REGIONAL, rung.machine.quota)
        rooms = []
        for name in names:
            usage = usages.get(name.lower())
            ours = sum(_vcpus(machine) for machine in own if name in (REGIONAL, SPOT_QUOTA) or _is_of(machine, name))
            others = max(usage.current_value - ours, 0) if usage else 0
            rooms.append((usage.limit if usage else 0) - others)
        return max(min(rooms) // UNIT_VCPUS, 0)

    def image(self, region: str) -> str:
        """The id of the image version that is promoted. Raises `StartFailed` when there is none."""
        images = AzureImages(
            clouds=self.clouds,
            resource_group=self.part.resource_group,
            gallery=self.part.gallery_image_id.split("/")[8],
            name=self.image_name,
        )
        try:
            versions = images.versions()
        except Denied:
            raise
        except Refusal as refusal:
            raise Unanswered(Code.IMAGE, f"{refusal.rule}: {refusal.consequence}") from None
        try:
            return require_latest(versions, self.image_name, Cloud.AZURE).ids[0]
        except Refusal as missing:
            raise StartFailed(Code.IMAGE, f"{region}: {missing.rule}; {missing.fix}") from None

    def place(self, rung: Rung) -> Mapping[str, str]:
        """The subnet, and the vault through which the machine is registered."""
        return {"subnet": self.part.regions[rung.region].subnet_id, "vault": self.part.vault.uri}

    def machines(self) -> list[SeenMachine]:
        """Machines in the slots, and snapshots of those whose run failed."""
        with answering("what is kept of machines"):
            kept = list(self.clouds.compute.snapshots.list_by_resource_group(self.part.kept_group))
        running = [found for region in self.part.regions for found in self._machines(region)]
        seen = [(item, self._tags_in(slot, item), True) for slot, item in running]
        seen += [(item, tags, False) for item in kept if (tags := self._own_tags(str(item.name), item.tags))]
        return [
            SeenMachine(
                cloud=Cloud.AZURE,
                id=str(item.id),
                tags=tags,
                created=item.time_created or datetime.now(UTC),
                holds_vcpus=exists,
                in_stack=exists,
            )
            for item, tags, exists in seen
        ]

    def boot(self, stack: str, slot: str) -> BootReport | None:
        """What the machine tells in its tags; nothing before its first word."""
        machine = self._machine(stack, slot)
        if machine is None:
            return None
        try:
            found = read_boot(machine.tags or {}, stack)
        except Refusal as refusal:
            return BootReport(
                stage="unreadable", at=datetime.now(UTC), probed=False, failure=Code.INTERNAL, reason=refusal.rule
            )
        return _report(found) if found else None

    def state(self, stack: str, slot: str) -> str:
        """`running`, `stopped`, `evicted` or `absent`.

        A spot machine is deleted when it is taken back, so that it is `absent` after its last word; one that is off
        although nobody keeps it was taken back as well.
        """
        machine = self._machine(stack, slot)
        if machine is None:
            return "absent"
        tags, power = machine.tags or {}, _power(machine)
        boot = None
        with suppress(Refusal):
            boot = read_boot(tags, stack)
        told = boot is not None and boot.code is Reason.SPOT_EVICTED
        off = power in OFF
        if told or (off and _is_spot(machine) and KEPT_UNTIL not in tags):
            return "evicted"
        return "stopped" if off else "running"

    def deliver(self, slot: str, credential: Credential) -> None:
        """Puts a credential where the slot's machine alone reads it."""
        with answering(f"the registration of {slot}"):
            write_secret(self.clouds, self.part.vault, registration_secret(slot), credential.text, credential.expires)

    def withdraw(self, slot: str) -> None:
        """Makes sure that no usable credential is the newest version of the slot's secret."""
        with answering(f"the registration of {slot}"):
            write_secret(self.clouds, self.part.vault, registration_secret(slot), USED)

    def keep(self, stack: str, slot: str, tags: RunTags) -> None:
        """Turns the machine into a snapshot of its disk and its serial log; can run again after it broke off."""
        machine = self._machine(stack, slot)
        azure_evidence.keep(self._shelf, stack, slot, machine, tags)

    def revive(self, stack: str, slot: str, tags: RunTags) -> Mapping[str, str]:  # noqa: ARG002  its stack has both
        """The snapshot of its disk, of which its stack makes a machine again. Raises `StartFailed` where there is none."""
        found = azure_evidence.snapshot(self._shelf, stack)
        if found is None:
            said = (
                f"{stack} has no snapshot: its `stop` is still at work, its week is over, or the machine was gone first"
            )
            raise StartFailed(Code.CAPACITY, said)
        return {"snapshot": str(found.id)}

    def discard(self, machine: SeenMachine) -> None:
        """Deletes what is kept outside a stack."""
        azure_evidence.discard(self._shelf, machine.tags.stack)

    def login(self, machine: SeenMachine, user: str) -> Sequence[str]:
        """By its private address, from the range that the stack lets in. Raises `Refusal` where there is none."""
        region = region_of_slot(machine.tags.slot) or ""
        require_entry(region, self.part.regions[region].entry, machine.tags.stack)
        stack, slot = machine.tags.stack, machine.tags.slot
        with answering(f"the address of {stack}"):
            found = self.clouds.compute.virtual_machines.get(slot, stack)
            profile = found.network_profile
            interfaces = profile.network_interfaces or [] if profile else []
            nic = self.clouds.resources.resources.get_by_id(str(interfaces[0].id), api_version=NETWORK_API)
        address = nic.properties["ipConfigurations"][0]["properties"]["privateIPAddress"]
        return ("ssh", f"{user}@{address}")

    def remove(self, stack: str) -> None:
        """Deletes what is in the slots of a stack's machine and is in no state of the engine, the machine first."""
        for slot in self._slots():
            with answering(f"slot {slot}"):
                found = list(self.clouds.resources.resources.list_by_resource_group(slot))
            own = [
                item
                for item in found
                if _is_machine_of(item, stack)
                or ((tags := self._own_tags(str(item.name), item.tags)) and tags.stack == stack)
            ]
            for item in sorted(own, key=lambda item: str(item.type).lower() != MACHINES.lower()):
                self.observe(stack, f"{item.name} is deleted: no stack knows it")
                with answering(f"{item.name} in {slot}"):
                    self._delete(slot, str(item.id), str(item.type), str(item.name))

    def _delete(self, slot: str, resource_id: str, kind: str, name: str) -> None:
        """Deletes; disk and interface go with their machine, so that they may be gone already."""
        from azure.core.exceptions import ResourceNotFoundError

        with suppress(ResourceNotFoundError):
            if kind.lower() == MACHINES.lower():
                self.clouds.compute.virtual_machines.begin_delete(slot, name).result()
            elif kind.lower() == DISKS.lower():
                self.clouds.compute.disks.begin_delete(slot, name).result()
            else:
                self.clouds.resources.resources.begin_delete_by_id(resource_id, api_version=NETWORK_API).result()

    @property
    def _shelf(self) -> azure_evidence.Shelf:
        return azure_evidence.Shelf(
            clouds=self.clouds,
            group=self.part.kept_group,
            tags=self.tags,
            objects=self.objects,
            observe=self.observe,
        )

    def _slots(self, region: str = "") -> list[str]:
        return [slot for name, place in self.part.regions.items() if region in ("", name) for slot in place.slots]

    def _machines(self, region: str) -> Iterator[tuple[str, "VirtualMachine"]]:
        """The machines of stacks of runs in the slots of a region, whatever their tags say, each with its slot."""
        for slot in self._slots(region):
            with answering(f"the machines in {slot}"):
                found = list(self.clouds.compute.virtual_machines.list(slot))
            yield from ((slot, machine) for machine in found if STACK.fullmatch(str(machine.name)))

    def _tags_in(self, slot: str, machine: "VirtualMachine") -> RunTags:
        """The tags of the machine in a slot, which it can change, with what it cannot: its name and its place."""
        name = str(machine.name)
        return replace(self._own_tags(name, machine.tags) or untold(name), stack=name, slot=slot)

    def _machine(self, stack: str, slot: str) -> "VirtualMachine | None":
        """The machine of a stack in its slot."""
        from azure.core.exceptions import ResourceNotFoundError

        with answering(f"machine {stack}"), suppress(ResourceNotFoundError):
            return self.clouds.compute.virtual_machines.get(slot, stack, expand="instanceView")
        return None

    def _own_tags(self, name: str, found: Mapping[str, str] | None) -> RunTags | None:
        """The tags of what is ours; somebody's changes to those of one thing are told, and hide no other."""
        try:
            return read_run_tags(found or {}, self.tags.system)
        except Refusal as refusal:
            self.observe(name, f"not believed: {refusal.rule}; {refusal.fix}")
            return None


def _report(found: Boot) -> BootReport:
    return BootReport(
        stage=found.stage.value,
        at=found.at,
        probed=waits_for_registration(found),
        failure=failure_of(found),
        reason=found.reason,
    )


def _is_machine_of(item: "GenericResourceExpanded", stack: str) -> bool:
    return str(item.type).lower() == MACHINES.lower() and str(item.name).lower() == stack


def _power(machine: "VirtualMachine") -> str:
    """The word of the platform; empty while the machine is being made."""
    statuses = machine.instance_view.statuses or [] if machine.instance_view else []
    codes = [str(status.code) for status in statuses]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")


def _is_spot(machine: "VirtualMachine") -> bool:
    return str(machine.priority or "").lower().endswith("spot")


def _type(machine: "VirtualMachine") -> str:
    return str(machine.hardware_profile.vm_size) if machine.hardware_profile else ""


def _vcpus(machine: "VirtualMachine") -> int:
    return machine_type(Cloud.AZURE, _type(machine)).vcpus


def _is_of(machine: "VirtualMachine", family: str) -> bool:
    return machine_type(Cloud.AZURE, _type(machine)).quota.lower() == family.lower()
