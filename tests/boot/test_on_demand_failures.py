"""An on-demand machine on bad days: what it says of itself, and that it is no runner then."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.boot.on_demand import AGENT, AWS_REGION, PLACES, AzurePlace, Ec2Place, Place
from tests.boot.on_demand_machines import Booted, machine
from tests.boot.runners import without_firewall
from virtci.boot.runner import AgentRelease
from virtci.core.boot_tags import FIXES, Reason, Stage
from virtci.core.runners.boot_record import failure_of
from virtci.core.runners.clouds import Capability, Serves
from virtci.core.runners.failures import Code
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.sandbox import Device, Sandbox
from virtci.rehearsal.github.runners import connect
from virtci.rehearsal.github.workflow_runs import finish_job, take_job

BOTH = pytest.mark.parametrize("cloud", PLACES, ids=lambda place: str(place.cloud))
ALWAYS = 10**9
Clouds = type[AzurePlace] | type[Ec2Place]


@contextmanager
def later(place: Place, asks: int, happens: Callable[[], object]) -> Iterator[None]:
    """Something happens when the machine has asked for its registration so often."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            if place.asked >= asks:
                happens()
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def never_registered(booted: Booted) -> bool:
    """Whether nobody was asked for a registration, and no agent came to GitHub."""
    runner = booted.place.runner
    return booted.place.asked == 0 and (runner is None or not runner.version)


@BOTH
@pytest.mark.parametrize("device", ["absent", "present"])
def test_machine_without_its_hypervisor_is_never_registered(cloud: Clouds, device: Device | str) -> None:
    place = cloud(Serves.RUN)
    place.publish(place.credential())
    devices: dict[str, Device] = {"kvm": "present"} if device == "present" else {}
    with machine(place, devices=devices) as booted:
        assert booted.result.exit_code != 0
        assert (booted.told.stage, booted.told.code) == (Stage.FAILED, Reason.HYPERVISOR_ABSENT)
        assert "declared kvm, found emulation" in booted.told.reason
        assert failure_of(booted.told) is Code.HYPERVISOR_ABSENT
        assert booted.told.fix == FIXES[Reason.HYPERVISOR_ABSENT]
        assert never_registered(booted)
        assert place.downloads == 0


def test_virtual_machine_is_not_taken_for_metal() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    with machine(place, before=_with_cpu("vmx hypervisor"), context=METAL) as booted:
        assert booted.told.code is Reason.HYPERVISOR_ABSENT
        assert "asked for kvm-metal, found a virtual machine" in booted.told.reason
        assert never_registered(booted)


def test_metal_is_metal() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    with machine(place, before=_with_cpu("vmx"), context=METAL) as booted:
        assert booted.online(), booted.result.log


METAL = {"capability": Capability.KVM_METAL}


def _with_cpu(flags: str) -> Callable[[Sandbox], None]:
    """The machine's CPU has these flags."""

    def put(box: Sandbox) -> None:
        box.path("/etc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
        assert box.run("mount", "--bind", "/etc/cpuinfo", "/proc/cpuinfo").returncode == 0

    return put


def test_agent_of_the_image_is_used_when_it_is_the_pinned_one() -> None:
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with machine(place, before=_with_archive(place, place.archive)) as booted:
        assert booted.online(), booted.result.log
        assert place.downloads == 0


def test_agent_of_the_image_that_is_another_one_is_left_alone() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    with machine(place, before=_with_archive(place, agent.archive("2.330.0"))) as booted:
        assert booted.online(), booted.result.log
        assert place.downloads == 1
        assert place.runner is not None
        assert place.runner.version == place.version


@BOTH
def test_nothing_is_unpacked_that_is_not_what_was_pinned(cloud: Clouds) -> None:
    place = cloud(Serves.JOB)
    place.deliver()
    pinned = {"agent": AgentRelease(place.version, "0" * 64)}
    with machine(place, context=pinned) as booted:
        assert booted.told.code is Reason.CHECKSUM
        assert failure_of(booted.told) is Code.AGENT
        assert not booted.box.exists(AGENT)
        assert not [line for line in booted.lines() if line.startswith("tar ")]
        assert never_registered(booted)


def _with_archive(place: Place, content: bytes) -> Callable[[Sandbox], None]:
    def put(box: Sandbox) -> None:
        path = box.path(f"/var/lib/virt-ci/actions-runner-linux-x64-{place.version}.tar.gz")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

    return put


@BOTH
@pytest.mark.parametrize("serves", Serves)
def test_registration_that_comes_later_is_waited_for(cloud: Clouds, serves: Serves) -> None:
    place = cloud(serves)
    with later(place, 3, place.deliver), machine(place) as booted:
        assert booted.online(), booted.result.log
        assert booted.box.waited > 5


@BOTH
def test_registration_that_never_comes_is_named(cloud: Clouds) -> None:
    place = cloud(Serves.JOB)
    with machine(place) as booted:
        assert (booted.told.stage, booted.told.code) == (Stage.FAILED, Reason.REGISTRATION)
        assert place.secret_name in booted.told.reason
        assert failure_of(booted.told) is Code.GITHUB
        assert 1_200 <= booted.box.waited < 1_300
        assert place.runner is None


def test_registration_that_was_used_is_never_shown_to_github() -> None:
    place = AzurePlace(Serves.RUN)
    place.publish("used")
    with machine(place) as booted:
        assert booted.told.code is Reason.REGISTRATION
        assert not [line for line in booted.lines() if "--unattended" in line]


@BOTH
def test_configuration_whose_job_was_done_elsewhere_makes_no_runner(cloud: Clouds) -> None:
    place = cloud(Serves.JOB)
    place.deliver()
    stolen = place.job("true", "elsewhere")
    with place.github.held() as world:
        assert place.runner is not None
        assert take_job(world, connect(world, place.runner.credential)) is stolen
        finish_job(world, stolen, "success")
    with machine(place) as booted:
        assert booted.soon(lambda: booted.box.is_off)
        assert (booted.told.stage, booted.told.code) == (Stage.FAILED, Reason.REGISTRATION)
        assert "Not Found from 'POST https://api.github.com/actions/runner-sessions'" in booted.box.read(
            "/sandbox/journal"
        )
        assert not booted.box.exists("/run/virt-ci/jit.env")


def test_token_is_no_configuration() -> None:
    place = Ec2Place(Serves.JOB)
    place.publish("none of these!")
    with machine(place) as booted:
        assert booted.told.code is Reason.REGISTRATION
        assert "no just-in-time configuration" in booted.told.reason
        assert "none of these" not in booted.result.log


def test_token_that_expired_is_refused_by_github_and_the_next_one_is_taken() -> None:
    place = AzurePlace(Serves.RUN)
    place.deliver()
    place.clock.advance(3_601)
    with later(place, 3, place.deliver), machine(place) as booted:
        assert booted.online(), booted.result.log
        assert "Http response code: Not Found" in booted.result.log


@BOTH
def test_metadata_service_that_is_late_is_waited_for(cloud: Clouds) -> None:
    place = cloud(Serves.RUN)
    place.deliver()
    place.metadata.refused = 2
    place.be_late(2)
    with machine(place) as booted:
        assert booted.online(), booted.result.log
        assert booted.box.waited >= 2 + 4 + 8 + 16


def test_role_that_may_not_read_its_registration_is_named() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    place.forbid("ssm:GetParameter")
    with machine(place) as booted:
        assert booted.told.code is Reason.ROLE
        assert place.secret_name in booted.told.reason
        assert place.runner is None


def test_role_that_may_not_tell_costs_no_runner() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    place.forbid("ssm:PutParameter")
    with machine(place) as booted:
        assert booted.online(), booted.result.log
        assert place.told is None
        assert "stage ready was not told" in booted.result.log


def test_parameter_store_that_is_unreachable_is_no_matter_of_the_role() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    place.parameters.refused = ALWAYS
    with machine(place) as booted:
        assert booted.result.exit_code != 0
        assert "VAULT: nobody answers for Systems Manager" in booted.result.log
        assert place.runner is None


def test_slots_of_one_region_do_not_see_each_other() -> None:
    place = Ec2Place(Serves.RUN)
    with place.client("ssm") as ssm:
        ssm.put_parameter(Name=f"/virt-ci/runners/auto-runner-{AWS_REGION}-02/registration", Value="x", Type="String")
    with machine(place, context={"slot": f"auto-runner-{AWS_REGION}-02"}) as booted:
        assert booted.result.exit_code != 0
        assert "ROLE: the role of this machine may not read parameter" in booted.result.log


def test_machine_that_was_in_the_slot_before_is_not_taken_for_this_one() -> None:
    place = Ec2Place(Serves.RUN)
    place.deliver()
    with machine(place) as booted:
        assert booted.told.stage is Stage.READY
    place.instance = place.launch("")
    assert place.told is None


def test_image_without_a_firewall_registers_nobody() -> None:
    place = AzurePlace(Serves.JOB)
    place.deliver()
    with machine(place, before=without_firewall) as booted:
        assert booted.told.code is Reason.FIREWALL
        assert never_registered(booted)
