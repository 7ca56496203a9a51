"""An on-demand machine boots in each cloud and does what it was made for: the rendered text runs for real."""

import io
import stat
import tarfile
from collections.abc import Iterator

import pytest

from tests.boot.on_demand import AGENT, KEY, KVM, LABEL, PLACES, REFUSED, AzurePlace, Ec2Place, Place
from tests.boot.on_demand_machines import Booted, machine
from virtci.core.boot_tags import Stage
from virtci.core.hypervisors import Hypervisor
from virtci.core.probes import parse_probe
from virtci.core.runners.clouds import Capability, Serves
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.boot import cloud_init
from virtci.rehearsal.boot.sandbox import sandbox, unavailable
from virtci.rehearsal.github.store import Job

LOOKS_AROUND = """
id --user --name >/home/runner/who
env >/home/runner/environment
ls /run/virt-ci >/home/runner/listed 2>&1 || echo refused >/home/runner/listed
code=0; curl --silent --max-time 5 --request PUT --header Metadata:true {url} || code=$?; echo $code >/home/runner/reached
: <>/dev/kvm
"""
"""What a job does to see what it is, and what it gets hold of."""


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: str(place.cloud))
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Booted, Job, str]]:
    """A machine that had its one job, that job, and the configuration that it was registered with."""
    place: Place = request.param(Serves.JOB)
    given = place.deliver()
    job = place.job(LOOKS_AROUND.format(url=place.link_local))
    with machine(place) as booted:
        assert booted.soon(lambda: booted.box.is_off), booted.result.log
        yield booted, job, given


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: str(place.cloud))
def listening(request: pytest.FixtureRequest) -> Iterator[tuple[Booted, str]]:
    """A machine that takes all jobs of its run, and the token that it was registered with."""
    place: Place = request.param(Serves.RUN)
    given = place.deliver()
    with machine(place) as booted:
        assert booted.online(), booted.result.log
        yield booted, given


def test_one_job_is_served_and_the_machine_goes_down(served: tuple[Booted, Job, str]) -> None:
    booted, job, _ = served
    assert (job.status, job.conclusion) == ("completed", "success")
    assert (booted.told.stage, booted.told.reason, booted.told.hypervisor) == (Stage.SERVED, "", Hypervisor.KVM)
    assert booted.box.is_off


def test_record_on_github_goes_with_the_job(served: tuple[Booted, Job, str]) -> None:
    booted, job, _ = served
    assert job.runner is not None
    assert (job.runner.name, job.runner.version, job.runner.ephemeral) == (LABEL, booted.place.version, True)
    assert booted.place.runner is None


def test_jobs_run_as_a_user_of_their_own_who_may_use_the_hypervisor(served: tuple[Booted, Job, str]) -> None:
    booted, _, _ = served
    assert booted.box.read("/home/runner/who") == "runner\n"
    assert booted.box.mode("/dev/kvm") == "0660"
    assert booted.runs_as("nobody", "sh", "-c", ": <>/dev/kvm") != 0
    assert "runner" not in booted.box.read("/etc/sudoers.d/90-virt-ci")


def test_jobs_get_nothing_of_the_registration(served: tuple[Booted, Job, str]) -> None:
    booted, _, given = served
    environment = booted.box.read("/home/runner/environment")
    assert "GITHUB_JOB=test" in environment
    assert "JITCONFIG" not in environment
    assert given not in environment
    assert "jit.env" not in booted.box.read("/home/runner/listed")
    assert "refused" in booted.box.read("/home/runner/listed")


def test_jobs_do_not_reach_the_metadata_service_and_root_does(served: tuple[Booted, Job, str]) -> None:
    booted, _, _ = served
    assert int(booted.box.read("/home/runner/reached")) in REFUSED
    asking = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", booted.place.link_local]
    assert booted.box.run(*asking).stdout in ("400", "401")


def test_configuration_is_on_no_command_line_in_no_log_and_in_no_file(served: tuple[Booted, Job, str]) -> None:
    booted, _, given = served
    assert any("systemctl start virt-ci-agent.service" in line for line in booted.lines())
    assert not [text[:80] for text in booted.texts() if given[:200] in text]
    assert not booted.box.exists("/run/virt-ci/jit.env")


def test_keys_of_the_machine_are_nowhere_either(served: tuple[Booted, Job, str]) -> None:
    booted, _, _ = served
    place, texts = booted.place, booted.texts()
    if isinstance(place, Ec2Place):
        sessions = place.service.sessions.issued.values()
        assert sessions
        secrets = [text for item in sessions for text in (item.secret_key, item.token, item.access_key)]
    else:
        url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
        shown = booted.box.run("curl", "--silent", "--header", "Metadata: true", url).stdout
        secrets = [shown.split('"access_token": "')[1][:20]]
    assert not [text[:80] for text in texts for secret in secrets if secret in text]


def test_registration_is_of_no_use_afterwards(served: tuple[Booted, Job, str]) -> None:
    booted, _, given = served
    place = booted.place
    if isinstance(place, AzurePlace):
        newest = held(place.azure.manager, "kv-test", place.secret_name)[-1]
        assert (newest.value, newest.content_type, newest.tags) == ("used", "text/plain", {"owner": "ci"})
    else:
        assert place.registration == "none"
    assert place.registration != given


def test_what_the_job_left_behind_is_kept_for_root(served: tuple[Booted, Job, str]) -> None:
    booted, job, _ = served
    (kept,) = booted.box.path("/var/lib/virt-ci/evidence").iterdir()
    assert (kept.stat().st_uid, stat.S_IMODE(kept.stat().st_mode)) == (0, 0o700)
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in kept.iterdir()} == {
        "diag.tar.gz": 0o600, "dmesg.txt": 0o600
    }  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO((kept / "diag.tar.gz").read_bytes())) as logs:
        assert f"_diag/Worker_{job.id}.log" in logs.getnames()


def test_people_get_in_with_the_keys_of_this_boot(served: tuple[Booted, Job, str]) -> None:
    booted, _, _ = served
    keys = booted.box.path("/home/kontain/.ssh/authorized_keys")
    owner = int(booted.box.run("id", "--user", "kontain").stdout)
    assert keys.read_text() == f"{KEY}\n"
    assert (keys.stat().st_uid, stat.S_IMODE(keys.stat().st_mode)) == (owner, 0o600)
    assert booted.box.read("/etc/sudoers.d/90-virt-ci") == "kontain ALL=(ALL) NOPASSWD: ALL\n"
    assert booted.box.mode("/etc/sudoers.d/90-virt-ci") == "0440"


def test_probe_document_is_on_the_console_and_on_the_machine(served: tuple[Booted, Job, str]) -> None:
    booted, _, _ = served
    document = booted.box.read("/var/lib/virt-ci/probe.json")
    assert parse_probe(document, "the machine").hypervisor is Hypervisor.KVM
    assert f"probe: {document}" in booted.result.log


def test_runner_of_a_run_has_its_own_label_and_nobody_elses(listening: tuple[Booted, str]) -> None:
    booted, _ = listening
    runner = booted.place.runner
    assert runner is not None
    assert (runner.labels, runner.ephemeral) == (("self-hosted", "linux", "x64", LABEL), False)
    assert booted.ready(), booted.result.log
    assert booted.told.stage is Stage.READY


def test_token_is_on_no_command_line_in_no_log_and_in_no_file(listening: tuple[Booted, str]) -> None:
    booted, given = listening
    assert any("config.sh --unattended" in line for line in booted.lines())
    assert not [text[:80] for text in booted.texts() if given in text]
    assert booted.place.registration in ("used", "none")


def test_runner_of_a_run_takes_one_job_after_the_other_and_stays(listening: tuple[Booted, str]) -> None:
    booted, _ = listening
    for name in ("first", "second"):
        job = booted.place.job("true", name)
        assert booted.serves(job)
        assert job.conclusion == "success"
    assert booted.online()
    assert not booted.box.is_off


def test_evidence_of_a_few_jobs_is_kept_and_no_more(listening: tuple[Booted, str]) -> None:
    booted, _ = listening
    for _ in range(7):
        booted.box.advance(60)
        assert booted.box.start("virt-ci-evidence.service").exit_code == 0
    kept = sorted(path.name for path in booted.box.path("/var/lib/virt-ci/evidence").iterdir())
    assert len(kept) == 5


def test_logs_that_lead_elsewhere_give_nothing_away(listening: tuple[Booted, str]) -> None:
    booted, _ = listening
    booted.box.path("/etc/virt-ci/secret").write_text("of root")
    booted.box.path("/etc/virt-ci/secret").chmod(0o600)
    assert booted.runs_as("runner", "ln", "-s", "/etc/virt-ci/secret", f"{AGENT}/_diag/link.log") == 0
    booted.box.advance(60)
    booted.box.start("virt-ci-evidence.service")
    newest = max(booted.box.path("/var/lib/virt-ci/evidence").iterdir())
    with tarfile.open(fileobj=io.BytesIO((newest / "diag.tar.gz").read_bytes())) as logs:
        assert logs.getmember("_diag/link.log").issym()


@pytest.mark.parametrize("capability", [Capability.NONE, Capability.EMULATION])
def test_job_that_needs_no_hypervisor_gets_a_machine_without_one(capability: Capability) -> None:
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with machine(place, devices={}, context={"capability": capability}) as booted:
        assert booted.online(), booted.result.log
        assert booted.told.hypervisor is Hypervisor.EMULATION


def test_mshv_is_for_jobs_too() -> None:
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with machine(place, devices={**KVM, "mshv": "opens"}, context={"capability": Capability.MSHV}) as booted:
        assert booted.online(), booted.result.log
        assert booted.told.hypervisor is Hypervisor.MSHV
        assert booted.box.mode("/dev/mshv") == "0660"


def test_cloud_init_is_done_without_errors() -> None:
    if unavailable():
        pytest.skip(unavailable())
    place = AzurePlace(Serves.RUN)
    place.deliver()
    with sandbox(place.services, distribution="ubuntu", devices=KVM) as box:
        reason = cloud_init.missing(box)
        if reason:
            pytest.skip(reason)
        seen = cloud_init.boot(box, place.text())
        assert (seen.status, seen.errors, seen.warnings) == ("done", [], [])
        assert place.told is not None
        assert place.told.stage is Stage.READY
