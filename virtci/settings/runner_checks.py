"""Rules on the sections about on-demand runners that span more than one value."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from itertools import combinations

from virtci.core import sizes
from virtci.core.networks import RangeFault, last_free, range_faults, usable_addresses
from virtci.core.problems import Problem, Refusal
from virtci.core.runners.aws import EGRESS_PREFIX, MAXIMUM_POLICY, Place, launcher_policy, policy_size
from virtci.core.runners.clouds import UNIT_VCPUS, Cloud
from virtci.core.runners.leases import Store
from virtci.core.runners.sizes import hourly_usd, machine_type
from virtci.core.runners.substrate import kept_group, log_workspace, region_of_slot
from virtci.settings.runners import AwsPlace, AwsRunners, AzurePlace, RunnerFleet, RunnerMachine
from virtci.settings.section import Parts, UnreadableError

AZURE = "runners.azure"
AWS = "runners.aws"
ZONES = (1, 2, 3)
ALONE = ("runners", "runner")
OTHERS = ("hub", "environments", "kubevirt")


def sections_alone(parts: Parts) -> Iterator[Problem]:
    """What on-demand runners stand on, and each machine of them, has a stack of its own."""
    for index, section in enumerate(ALONE):
        beside = [other for other in (*OTHERS, *ALONE[:index]) if parts.get(other)]
        if parts.get(section) and beside:
            yield Problem(
                section, "(a section)", f"`{section}` is the only section of its stack that declares something",
                f"it would come and go with: {', '.join(beside)}", "put it into a stack file of its own",
            )  # fmt: skip


def budget_is_declared(parts: Parts) -> Iterator[Problem]:
    """Machines come and go by themselves, so somebody hears of it when they cost too much."""
    if parts.get("runners") and "budget" in parts and parts["budget"] is None:
        yield Problem(
            "budget", None, "a stack with runners says what a month may cost",
            "a launcher that goes astray would be noticed on the bill", "add the section `budget`",
        )  # fmt: skip


def some_cloud(parts: Parts) -> Iterator[Problem]:
    """Runners are in a cloud."""
    runners: RunnerFleet | None = parts.get("runners")
    if runners and not runners.azure and not runners.aws:
        yield Problem(
            "runners", "(a section)", "runners are in `azure`, in `aws`, or in both",
            "there is nowhere to make a machine", "add one of the sections `azure`, `aws`",
        )  # fmt: skip


def lease_store(parts: Parts) -> Iterator[Problem]:
    """A lease server is declared where leases are kept by one, and nowhere else."""
    runners: RunnerFleet | None = parts.get("runners")
    with suppress(UnreadableError):
        if runners and runners.leases.store is Store.BOSKOS and runners.leases.server is None:
            yield Problem(
                "runners.leases.server", None, "with the store `boskos`, the section says in which cluster it is, and its images",
                "no launcher would get a lease", "add the section `server`, or leave the store out for the embedded one",
            )  # fmt: skip
        if runners and runners.leases.store is Store.EMBEDDED and runners.leases.server:
            yield Problem(
                "runners.leases.server", "(a section)", "a lease server is for the store `boskos`; this one is `embedded`",
                "it would run in the cluster and nobody would ask it", "set runners.leases.store to boskos, or remove the section",
            )  # fmt: skip


def azure_sizes(parts: Parts) -> Iterator[Problem]:
    """Every size is offered in every region, and its family has a quota there."""
    places = dict(_azure_places(parts))
    wanted: tuple[str, ...] = parts["runners"].azure.sizes if places else ()
    for index, name in enumerate(wanted):
        if lacking := [region for region in places if not sizes.is_offered(name, region)]:
            yield Problem(
                f"{AZURE}.sizes[{index}]", name, f"a size with a price in {', '.join(lacking)}", "the platform answers SkuNotAvailable",
                f"{name} is offered in: {', '.join(sizes.regions_of(name)) or 'no region of the table'}",
            )  # fmt: skip
    for region, place in places.items():
        known = {family.lower() for family in place.families}
        missing = [
            family
            for family in dict.fromkeys(sizes.size(name).family for name in wanted)
            if family.lower() not in known
        ]
        if missing:
            yield Problem(
                f"{AZURE}.regions.{region}.families", ", ".join(place.families), "the family of every size has a quota",
                f"a start of {', '.join(missing)} would stop with QuotaExceeded", "add the subscription's quota of it, or leave its sizes out",
            )  # fmt: skip


def room_for_a_machine(parts: Parts) -> Iterator[Problem]:
    """Beside what is kept free, each limit has room for the smallest machine."""
    for region, place in _azure_places(parts):
        limits = {"cores": place.cores, **{f"families.{family}": limit for family, limit in place.families.items()}}
        for name, limit in limits.items():
            yield from _room(f"{AZURE}.regions.{region}.{name}", limit, place.reserve)
    for region, other in _aws_places(parts):
        yield from _room(f"{AWS}.regions.{region}.vcpus", other.vcpus, other.reserve)


def entries(parts: Parts) -> Iterator[Problem]:
    """People come from somewhere else, and from a private network."""
    for region, place in _azure_places(parts):
        with suppress(UnreadableError):
            if place.entry and (place.entry.overlaps(place.address_space) or not place.entry.is_private):
                yield Problem(
                    f"{AZURE}.regions.{region}.entry", str(place.entry), "people log in from a private range outside of the machines' network",
                    "machines would log in to each other, or the Internet to them", "name the range of your VPN or peered network, or leave it out",
                )  # fmt: skip


def _room(key: str, limit: int, reserve: int) -> Iterator[Problem]:
    if limit < reserve + UNIT_VCPUS:
        yield Problem(
            key, limit, f"{reserve} vCPU are kept free, and the smallest machine takes {UNIT_VCPUS}",
            "no machine could ever start", f"raise it to {reserve + UNIT_VCPUS} or more, or lower the reserve",
        )  # fmt: skip


def address_plans(parts: Parts) -> Iterator[Problem]:
    """Subnets lie in their network and hold their machines; networks are apart, in both clouds."""
    spaces: dict[str, IPv4Network] = {}
    for region, place in _azure_places(parts):
        key = f"{AZURE}.regions.{region}"
        yield from _ranges(key, range_faults(place.address_space, {"subnet": place.subnet}))
        if usable_addresses(place.subnet) < place.units:
            yield Problem(
                f"{key}.subnet", str(place.subnet), "a subnet holds its machines; the platform keeps five addresses",
                f"{place.units} machines do not fit", "use a shorter prefix",
            )  # fmt: skip
        spaces[f"{key}.addressSpace"] = place.address_space
    for region, other in _aws_places(parts):
        key = f"{AWS}.regions.{region}"
        subnets = {f"zones.{zone}": subnet for zone, subnet in other.zones.items()}
        yield from _ranges(key, range_faults(other.address_space, subnets))
        if last_free(other.address_space, other.zones.values(), EGRESS_PREFIX) is None:
            yield Problem(
                f"{key}.addressSpace", str(other.address_space), f"beside its zones, a network has a range of /{EGRESS_PREFIX} for its way out",
                "the NAT gateway has no subnet, and no machine reaches GitHub", "use shorter ranges for the zones, or a larger one for the network",
            )  # fmt: skip
        spaces[f"{key}.addressSpace"] = other.address_space
    for first, second in combinations(spaces, 2):
        if spaces[first].overlaps(spaces[second]):
            yield Problem(
                second, str(spaces[second]), "ranges do not overlap, across regions and clouds",
                f"it overlaps {first} ({spaces[first]}); the networks could never be joined", "choose a range of its own",
            )  # fmt: skip


def _ranges(key: str, found: Iterable[RangeFault]) -> Iterator[Problem]:
    for fault in found:
        yield Problem(
            f"{key}.{fault.name}", str(fault.network), fault.rule,
            f"it {fault.reason}; traffic would go astray or the platform refuses it",
            "choose a range of its own inside the address space",
        )  # fmt: skip


def zones(parts: Parts) -> Iterator[Problem]:
    """Zones are those that a region can have."""
    for region, place in _azure_places(parts):
        if len(set(place.zones)) < len(place.zones) or not set(place.zones) <= set(ZONES):
            yield Problem(
                f"{AZURE}.regions.{region}.zones", ", ".join(map(str, place.zones)), "zones are 1, 2 and 3, each once",
                "the platform refuses the machine", "list the zones that the subscription has there, or none",
            )  # fmt: skip
    for region, other in _aws_places(parts):
        for zone, subnet in other.zones.items():
            if zone[:-1] != region:
                yield Problem(
                    f"{AWS}.regions.{region}.zones.{zone}", str(subnet), f"a zone of {region} is called {region}a, {region}b, …",
                    "its subnet cannot be made", "move it to its own region, or correct the name",
                )  # fmt: skip


def names_of_the_substrate(parts: Parts) -> Iterator[Problem]:
    """The platform takes the names that are derived; networks of one resource group have names of their own."""
    runners: RunnerFleet | None = parts.get("runners")
    if runners and runners.azure:
        group = runners.azure.resource_group
        found = [
            item for derive in (kept_group, log_workspace) for item in _refused(f"{AZURE}.resourceGroup", group, derive)
        ]
        yield from found[:1]
    seen: dict[str, str] = {}
    for region, place in _azure_places(parts):
        if (first := seen.setdefault(place.network.lower(), region)) != region:
            yield Problem(
                f"{AZURE}.regions.{region}.network", place.network, "every network has a name of its own",
                f"it would be that of {first}, in the same resource group", "choose another name",
            )  # fmt: skip


def aws_types(parts: Parts) -> Iterator[Problem]:
    """Every instance type is known, with a price in every region."""
    runners: RunnerFleet | None = parts.get("runners")
    if not runners or not runners.aws:
        return
    for index, name in enumerate(runners.aws.types):
        for region in runners.aws.regions:
            key = f"{AWS}.types[{index}]"
            found = [*_refused(key, name, _known_type), *_refused(key, name, _priced_in(region))]
            if found:
                yield found[0]
                break


def launcher_rights(parts: Parts) -> Iterator[Problem]:
    """The rights of the launcher in all regions fit into one role."""
    runners: RunnerFleet | None = parts.get("runners")
    with suppress(UnreadableError):
        if runners and runners.aws:
            sizes = [
                _rights(region, place, runners.aws, parts["system"]) for region, place in runners.aws.regions.items()
            ]
            if sum(sizes) > MAXIMUM_POLICY:
                yield Problem(
                    f"{AWS}.regions", ", ".join(runners.aws.regions), f"a role's policies have at most {MAXIMUM_POLICY} characters",
                    f"those of the launcher would have {sum(sizes)}, and the platform refuses the last region",
                    "use fewer regions, zones or instance types",
                )  # fmt: skip


def _rights(region: str, place: AwsPlace, aws: AwsRunners, system: str) -> int:
    """Ids are not known yet, but all of one length."""
    described = Place(
        account=aws.account,
        region=region,
        system=system,
        types=aws.types,
        subnet_ids=tuple(f"subnet-{'0' * 17}" for _ in place.zones),
        security_group_id=f"sg-{'0' * 17}",
        launch_template_id=f"lt-{'0' * 17}",
    )
    return policy_size(launcher_policy(described))


def _known_type(name: str) -> None:
    machine_type(Cloud.EC2, name)


def _priced_in(region: str) -> Callable[[str], None]:
    def check(name: str) -> None:
        hourly_usd(Cloud.EC2, region, name)

    return check


def machine_of_a_run(parts: Parts) -> Iterator[Problem]:
    """One machine: its type is known, its slot is one of its region, and somebody can log in to it."""
    runner: RunnerMachine | None = parts.get("runner")
    if not runner:
        return
    with suppress(UnreadableError):
        cloud = runner.cloud
        yield from _refused("runner.size", runner.size, lambda name: machine_type(cloud, name))
    with suppress(UnreadableError):
        if region_of_slot(runner.slot) != runner.region:
            yield Problem(
                "runner.slot", runner.slot, f"a slot of {runner.region} is called auto-runner-{runner.region}-01, -02, …",
                "the machine would act as an identity that is not there", "take the slot that the lease names",
            )  # fmt: skip
    with suppress(UnreadableError):
        if (runner.cloud is Cloud.AZURE) is not runner.vault.startswith("https://"):
            yield Problem(
                "runner.vault", runner.vault, "a machine in Azure has a vault at https://, one in EC2 has none",
                "its registration would not reach it", "take it from the outputs of the runners' stack",
            )  # fmt: skip
    with suppress(UnreadableError):
        if bool(runner.image) is bool(runner.revive):
            yield Problem(
                "runner.image", runner.image or None, "a machine has an image, or a snapshot that it comes back from",
                "the platform does not know what to put on its disk", "write one of `image`, `revive`",
            )  # fmt: skip
    with suppress(UnreadableError):
        if runner.revive and (runner.cloud is not Cloud.AZURE or runner.spot):
            yield Problem(
                "runner.revive", runner.revive.snapshot, "what comes back from a snapshot is in Azure, and on demand",
                "EC2 turns the machine itself on, and people would lose what the platform takes back",
                "leave out `revive`, or `spot`",
            )  # fmt: skip
    with suppress(UnreadableError):
        if runner.cloud is Cloud.AZURE and not runner.revive and not runner.keys:
            yield Problem(
                "runner.keys", None, "a machine in Azure has an SSH key", "the platform refuses Linux without key and password",
                "add a public key to the folder of keys",
            )  # fmt: skip


def _refused(key: str, value: str, derive: Callable[[str], object]) -> Iterator[Problem]:
    try:
        derive(value)
    except Refusal as refusal:
        yield Problem(key, value, refusal.rule, refusal.consequence, refusal.fix)


def _azure_places(parts: Parts) -> Iterator[tuple[str, AzurePlace]]:
    runners: RunnerFleet | None = parts.get("runners")
    with suppress(UnreadableError):
        if runners and runners.azure:
            yield from runners.azure.regions.items()


def _aws_places(parts: Parts) -> Iterator[tuple[str, AwsPlace]]:
    runners: RunnerFleet | None = parts.get("runners")
    with suppress(UnreadableError):
        if runners and runners.aws:
            yield from runners.aws.regions.items()


RUNNER_CHECKS = (
    sections_alone,
    budget_is_declared,
    some_cloud,
    lease_store,
    entries,
    azure_sizes,
    room_for_a_machine,
    address_plans,
    zones,
    names_of_the_substrate,
    aws_types,
    launcher_rights,
    machine_of_a_run,
)
