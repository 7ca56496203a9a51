"""What is wrong with the sections about on-demand runners is said with key, value, rule, consequence and fix."""

from typing import Any

import pytest

from tests.settings.stackfile import ABSENT, changed, problems, read, values
from tests.settings.test_faults import Fault

AZURE = "runners.azure"
WESTUS = f"{AZURE}.regions.westus"
AWS = "runners.aws"
OHIO = f"{AWS}.regions.us-east-2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvbw== ci"
EASTUS = {
    "network": "github-runner-east", "addressSpace": "10.72.0.0/16", "subnet": "10.72.0.0/24", "cores": 16,
    "families": {"standardDSv5Family": 16, "standardDDSv5Family": 16},
}  # fmt: skip
MACHINE: dict[str, Any] = {
    "cloud": "azure", "name": "azure-runner-CI-7", "label": "virt-ci-azure-1-1-1-0a1b2c3d", "capability": "none",
    "serves": "run", "size": "Standard_D4s_v5", "region": "westus", "slot": "auto-runner-westus-03", "image": "/images/1",
    "subnet": "/subnets/runners", "vault": "https://kontain-runners.vault.azure.net/", "run": "rehearsal-org/km/1/1",
    "deadline": "2026-01-01T06:00:00Z", "agent": {"version": "2.336.0", "sha256": "0" * 64}, "keys": [KEY],
}  # fmt: skip

SERVER = {
    "cluster": "test-kvm",
    "image": "registry.example/rehearsal/boskos@sha256:" + "a" * 64,
    "reaperImage": "registry.example/rehearsal/boskos-reaper@sha256:" + "b" * 64,
}


def fault(key: str, value: Any, *says: str, shown: Any = ABSENT, **also: Any) -> Fault:
    """One change at a key of the committed file, and what is said about it there."""
    return Fault("kontain", {key: value, **also}, key, says, shown)


def leased(key: str, leases: dict[str, Any], shown: Any, *says: str) -> Fault:
    """Another section `leases`, and what is said about a key of its server."""
    return Fault("kontain", {"runners.leases": leases}, f"runners.leases.server{key}", says, shown)


def with_server(**changes: Any) -> dict[str, Any]:
    """A section `leases` with a server that is changed."""
    server = {key: value for key, value in {**SERVER, **changes}.items() if value is not ABSENT}
    return {"store": "boskos", "server": server}


FAULTS = [
    # misspelt, missing, meaningless
    fault(f"{AZURE}.statAccount", "x", "did you mean `stateAccount`?"),
    fault(f"{WESTUS}.adressSpace", "x", "did you mean `addressSpace`?"),
    fault("runners.agent", ABSENT, "the key is required"),
    fault("runners.branches", [], "at least 1 item"),
    fault("runners.serves", "jobs", "one of: run, job", "did you mean `job`?"),
    fault("runners.retentionDays", 0, "greater than or equal to 1"),
    fault("budget", ABSENT, "what a month may cost", "add the section `budget`"),
    # leases
    fault("runners.leases.store", "boskoz", "one of: embedded, boskos", "did you mean `boskos`?"),
    leased("", {"store": "boskos"}, None, "in which cluster it is", "no launcher would get a lease"),
    leased("", {"server": SERVER}, "(a section)", "this one is `embedded`", "nobody would ask it"),
    leased(".cluster", with_server(cluster="test-kwm"), "test-kwm", "did you mean `test-kvm`?"),
    leased(".image", with_server(image="example/boskos:1"), "example/boskos:1", "@sha256:"),
    leased(".reaperImage", with_server(reaperImage=ABSENT), None, "the key is required"),
    # names
    fault(f"{AZURE}.stateAccount", "kontain-runners", "storage account names have 3 to 24", "lower case letters"),
    fault(f"{AZURE}.gallery", "auto-github-runner", "gallery names", "letters, digits, `_`, `.`"),
    fault(f"{AZURE}.vault", "kontain--runners", "key vault names"),
    fault(f"{AZURE}.resourceGroup", "r" * 86, "resource group names have 1 to 90", "91 characters"),
    fault(f"{AZURE}.resourceGroup", "runners_(1)", "workspace names", "rename it"),
    # sizes and their quota
    fault(f"{AZURE}.sizes", ["Standard_D4s_v55"], "did you mean `Standard_D4s_v5`?", shown="Standard_D4s_v55"),
    fault(f"{AZURE}.sizes", ["Standard_D8as_v5"], "a size with a price in westus", "is offered in", shown="Standard_D8as_v5",
          **{f"{WESTUS}.families.standardDASv5Family": 8}),
    fault(f"{WESTUS}.families", {"standarddsv5family": 48}, "a start of standardDDSv5Family", "add the subscription's quota",
          shown="standarddsv5family"),
    fault(f"{WESTUS}.cores", 7, "4 vCPU are kept free", "no machine could ever start", "raise it to 8"),
    fault(f"{WESTUS}.families.standardDDSv5Family", 4, "the smallest machine takes 4"),
    fault(f"{OHIO}.vcpus", 4, "no machine could ever start"),
    # address plan
    fault(f"{WESTUS}.subnet", "10.71.0.0/24", "lies inside the address space"),
    fault(f"{WESTUS}.subnet", "10.70.0.0/28", "the platform keeps five", "14 machines do not fit", **{f"{WESTUS}.cores": 60}),
    fault(f"{OHIO}.zones.us-east-2b", "10.71.0.0/22", "overlaps zones.us-east-2a"),
    fault(f"{OHIO}.addressSpace", "10.70.0.0/15", "across regions and clouds", "overlaps runners.azure.regions.westus.addressSpace"),
    fault(f"{OHIO}.addressSpace", "10.71.0.0/19", "a range of /28 for its way out", "no machine reaches GitHub"),
    fault(f"{WESTUS}.entry", "10.70.128.0/24", "outside of the machines' network", "machines would log in to each other"),
    fault(f"{WESTUS}.entry", "8.8.8.0/24", "from a private range", "or the Internet to them"),
    # zones
    fault(f"{WESTUS}.zones", [1, 4], "zones are 1, 2 and 3", shown="1, 4"),
    fault(f"{WESTUS}.zones", [1, 1], "each once", shown="1, 1"),
    fault(f"{OHIO}.zones.us-west-2a", "10.71.32.0/20", "a zone of us-east-2 is called us-east-2a"),
    # AWS
    fault(f"{AWS}.account", "1234", "12 digits, in quotes"),
    fault(f"{AWS}.types", ["m5.xlrage"], "a row in virtci/data/aws-types.json", "did you mean `m5.xlarge`?", shown="m5.xlrage"),
]  # fmt: skip
ITEMS = {f"{AZURE}.sizes": f"{AZURE}.sizes[0]", f"{AWS}.types": f"{AWS}.types[0]"}


@pytest.mark.parametrize("wrong", FAULTS, ids=str)
def test_fault_is_said_once_with_key_value_rule_consequence_and_fix(wrong: Fault) -> None:
    found = problems(values("kontain", **wrong.changes))
    (key, problem), *others = found.items()
    said = " | ".join([problem.rule, problem.consequence, problem.fix])
    assert (key, others) in ((wrong.key, []), (ITEMS.get(wrong.key), []), (f"{wrong.key}.0", []))
    assert all(words in said for words in wrong.says), said
    assert problem.value == wrong.shown


def test_regions_are_apart_in_name_and_range() -> None:
    east = {**EASTUS, "network": "GitHub-Runner", "addressSpace": "10.70.128.0/17", "subnet": "10.70.128.0/24"}
    found = problems(values("kontain", **{f"{AZURE}.regions.eastus": east}))
    assert found.keys() == {f"{AZURE}.regions.eastus.network", f"{AZURE}.regions.eastus.addressSpace"}
    assert "that of westus" in found[f"{AZURE}.regions.eastus.network"].consequence


def test_a_second_region_is_good_when_it_has_what_the_first_one_has() -> None:
    runners = read(values("kontain", **{f"{AZURE}.regions.eastus": EASTUS})).runners
    assert runners
    units = {name: len(slots) for name, slots in runners.pools.items()}
    assert units == {"azure-westus": 11, "azure-eastus": 3, "ec2-us-east-2": 15}


def test_a_lease_server_and_its_images_are_good() -> None:
    runners = read(values("kontain", **{"runners.leases": with_server()})).runners
    assert runners
    assert runners.leases.server
    assert (runners.leases.store, runners.leases.server.cluster) == ("boskos", "test-kvm")


def test_the_launchers_rights_fit_into_a_role() -> None:
    east = {
        "network": "runners-east",
        "addressSpace": "10.73.0.0/16",
        "zones": {"us-east-1a": "10.73.0.0/20"},
        "vcpus": 64,
    }
    found = problems(values("kontain", **{f"{AWS}.regions.us-east-1": east}))
    assert found.keys() == {f"{AWS}.regions"}
    assert "a role's policies have at most 10240 characters" in found[f"{AWS}.regions"].rule


def test_a_size_has_a_price_in_every_region() -> None:
    content = values(
        "kontain", **{f"{AZURE}.regions.eastus": EASTUS, f"{AZURE}.sizes": ["Standard_D4s_v5", "Standard_D8as_v5"]}
    )
    families = ("westus", "eastus")
    for region in families:
        content["runners"]["azure"]["regions"][region]["families"]["standardDASv5Family"] = 8
    (problem,) = problems(content).values()
    assert problem.key == f"{AZURE}.sizes[1]"
    assert problem.rule == "a size with a price in westus"


def test_runners_without_a_cloud_are_nowhere() -> None:
    found = problems(values("kontain", **{AZURE: ABSENT, AWS: ABSENT}))
    assert found.keys() == {"runners"}
    assert "nowhere to make a machine" in found["runners"].consequence


@pytest.mark.parametrize("other", ["hub", "environments"])
def test_runners_have_a_stack_of_their_own(other: str) -> None:
    content = values(
        "kontain",
        hubStack="organization/virt-ci/hub",
        quota=values("hub")["quota"] | {"cores": 100, "families": {"standardDSv5Family": 100}},
    )
    content[other] = values("hub" if other == "hub" else "dev")[other]
    if other == "hub":
        content["hub"]["infrastructureRepository"] = "rehearsal-org/virt-ci"
    found = problems(content)
    assert found.keys() == {"runners"}
    assert other in found["runners"].consequence


def machine(**changes: Any) -> dict[str, Any]:
    """The settings of one machine, with changes."""
    content = values("kontain", runners=ABSENT, budget=ABSENT)
    return changed({**content, "runner": dict(MACHINE)}, {f"runner.{key}": value for key, value in changes.items()})


REVIVE = {"snapshot": "/snapshots/1", "keepUntil": "2026-01-08T06:00:00Z"}


def test_a_machine_that_comes_back_needs_neither_image_nor_keys() -> None:
    runner = read(machine(image="", keys=[], revive=REVIVE)).runner
    assert runner
    assert runner.revive
    assert runner.revive.keep_until.isoformat() == "2026-01-08T06:00:00+00:00"


def test_a_machine_as_the_launcher_writes_it_is_good() -> None:
    runner = read(machine()).runner
    assert runner
    assert (runner.slot, runner.deadline.tzinfo is not None, runner.spot) == ("auto-runner-westus-03", True, False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": "Standard_D4s_v55"}, "did you mean `Standard_D4s_v5`?"),
        ({"slot": "auto-runner-eastus-03"}, "a slot of westus is called"),
        ({"slot": "somewhere"}, "a slot of westus is called"),
        ({"keys": []}, "refuses Linux without key and password"),
        ({"vault": ""}, "would not reach it"),
        ({"vault": "http://kontain-runners.vault.azure.net/"}, "would not reach it"),
        ({"cloud": "aws"}, "one of: azure, ec2"),
        ({"image": ""}, "an image, or a snapshot"),
        ({"image": "/images/1", "revive": REVIVE}, "an image, or a snapshot"),
        ({"revive": REVIVE, "image": "", "spot": True}, "in Azure, and on demand"),
    ],
    ids=str,
)
def test_a_machine_that_could_not_work_is_refused_before_it_is_made(changes: dict[str, Any], says: str) -> None:
    (problem,) = problems(machine(**changes)).values()
    assert problem.key == f"runner.{next(iter(changes))}"
    assert says in " | ".join([problem.rule, problem.consequence, problem.fix])


def test_a_machine_stands_alone() -> None:
    found = problems({**values("kontain"), "runner": dict(MACHINE)})
    assert found.keys() == {"runner"}
    assert "runners" in found["runner"].consequence


def test_a_fault_in_one_region_does_not_hide_one_elsewhere() -> None:
    found = problems(values("kontain", **{f"{WESTUS}.subnet": "nonsense", f"{OHIO}.vcpus": 4, f"{AZURE}.zone": 1}))
    assert found.keys() == {f"{WESTUS}.subnet", f"{OHIO}.vcpus", f"{AZURE}.zone"}
