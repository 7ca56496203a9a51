"""The sandbox is a machine of its own: what it shares with this one, and what it does not."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.machines import machine
from tests.rehearsal.azure.simulated import until
from tests.rehearsal.boot.cloud import Answer, Cloud, handler
from virtci.rehearsal.boot import cloud_init
from virtci.rehearsal.boot.cloud_config import apply
from virtci.rehearsal.boot.network import Service
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable

if unavailable():
    pytest.skip(unavailable(), allow_module_level=True)


def greet(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
    return 200, f"{method} {url} {headers['host']} {body.decode()}".encode()


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    services = [
        Service(("vault.example", "github.example"), handler(greet)),
        Service(("169.254.169.254",), handler(greet), port=80, tls=False),
    ]
    with sandbox(services, devices={"mshv": "opens", "kvm": "present"}) as made:
        yield made


def unit(box: Sandbox, name: str, text: str) -> None:
    box.path(f"/etc/systemd/system/{name}").write_text(text)


def test_services_answer_under_their_names_with_trusted_certificates(box: Sandbox) -> None:
    done = box.run("curl", "-sS", "--data", "hello", "https://vault.example/a?b=c")
    assert done.stdout == "POST /a?b=c vault.example hello", done.stderr


def test_metadata_service_is_at_its_address(box: Sandbox) -> None:
    assert box.run("curl", "-sS", "http://169.254.169.254/metadata").stdout == "GET /metadata 169.254.169.254 "


def test_nobody_else_can_be_reached(box: Sandbox) -> None:
    assert box.run("curl", "-sS", "--max-time", "5", "https://example.org").returncode == 6
    assert box.run("curl", "-sS", "--max-time", "5", "http://192.0.2.1").returncode == 7


def test_this_machine_cannot_be_reached(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        assert box.run("curl", "-sS", f"http://127.0.0.1:{port}").returncode == 7


def test_what_is_written_inside_stays_inside(box: Sandbox) -> None:
    box.run("sh", "-c", "echo inside >/usr/local/bin/written; echo inside >/etc/written")
    assert not Path("/usr/local/bin/written").exists()
    assert not Path("/etc/written").exists()
    assert box.read("/etc/written") == "inside\n"
    assert {"written"} <= {path.name for path in box.written()}


def test_files_of_this_machine_are_not_there(box: Sandbox) -> None:
    assert box.run("ls", str(Path(__file__).parents[3])).returncode != 0


def test_processes_of_this_machine_are_not_there(box: Sandbox) -> None:
    assert box.run("sh", "-c", "kill -0 $$ && ls -d /proc/[0-9]* | wc -l").stdout.strip() in {"3", "4", "5"}


def test_devices_open_or_only_exist(box: Sandbox) -> None:
    assert box.run("sh", "-c", ": <>/dev/mshv").returncode == 0
    assert box.run("sh", "-c", "test -c /dev/kvm").returncode == 0
    assert box.run("sh", "-c", ": <>/dev/kvm").returncode != 0


def test_command_lines_are_kept_with_every_character(box: Sandbox) -> None:
    unit(box, "words.service", "[Service]\nType=oneshot\nExecStart=/bin/sh /etc/words\n")
    box.path("/etc/words").write_text("tail '/dev/null' 'a b' 'two\nlines' '' 2>/dev/null || true\n")
    assert ["tail", "/dev/null", "a b", "two\nlines", ""] in box.start("words.service").commands


def test_sleeping_takes_no_time_and_moves_the_clock(box: Sandbox) -> None:
    before, waited = int(box.run("date", "+%s").stdout), box.waited
    box.run("sleep", "3600")
    assert box.waited - waited == 3_600
    assert 3_600 <= int(box.run("date", "+%s").stdout) - before < 3_660


def test_a_machine_that_waits_for_somebody_outside_sleeps_a_little() -> None:
    with sandbox([], pace=10) as slow:
        started = time.monotonic()
        slow.run("sleep", "30")
        assert time.monotonic() - started >= 0.3
        assert slow.waited == 30


def test_what_the_stand_ins_do_not_know_they_refuse(box: Sandbox) -> None:
    unit(box, "odd.service", "[Service]\nType=oneshot\nExecStart=/bin/true\nOddity=yes\n")
    assert "Oddity" in box.run("systemctl", "start", "odd.service").stderr
    assert box.run("systemctl", "edit", "odd.service").returncode != 0
    assert box.run("systemctl", "start", "absent.service").returncode != 0
    assert box.run("sleep", "1.5").returncode != 0
    assert box.run("tdnf", "install", "jq").returncode != 0
    assert box.run("/sandbox/stand-ins/k3s", "agent").returncode != 0
    assert box.run("/sandbox/stand-ins/k3s", "kubectl", "get", "pods", "--watch").returncode != 0


def test_failed_unit_shows_its_output_and_fails(box: Sandbox) -> None:
    unit(box, "bad.service", "[Service]\nType=oneshot\nExecStart=/bin/sh /etc/bad\n")
    box.path("/etc/bad").write_text("echo from inside >&2; exit 3\n")
    result = box.start("bad.service")
    assert result.exit_code == 1
    assert "from inside" in result.log
    assert box.run("systemctl", "is-active", "bad.service").returncode == 3


def test_service_runs_as_its_user_with_its_settings(box: Sandbox) -> None:
    box.run("useradd", "--create-home", "worker")
    box.path("/etc/worker.env").write_text('GREETING="hello world"\n')
    lines = "User=worker\nEnvironmentFile=/etc/worker.env\nRuntimeDirectory=worker\nUMask=0077"
    unit(box, "worker.service", f"[Service]\nType=oneshot\n{lines}\nExecStart=/bin/sh /etc/worker\n")
    box.path("/etc/worker").write_text('echo "$GREETING $HOME $(id -un) $(id -gn)" >/run/worker/said\n')
    assert box.start("worker.service").exit_code == 0
    assert box.read("/run/worker/said") == "hello world /home/worker worker worker\n"
    assert box.mode("/run/worker/said") == "0600"


def test_condition_that_does_not_hold_starts_nothing(box: Sandbox) -> None:
    unit(box, "later.service", "[Unit]\nConditionPathExists=/absent\n[Service]\nType=oneshot\nExecStart=/bin/false\n")
    assert box.start("later.service").exit_code == 0


def test_service_that_ends_starts_the_unit_that_follows_it(box: Sandbox) -> None:
    for word, code in (("well", 0), ("badly", 3)):
        unit(box, f"{word}.service", f"[Service]\nType=oneshot\nExecStart=/bin/touch /etc/ended-{word}\n")
        after = "[Unit]\nOnSuccess=well.service\nOnFailure=badly.service\n"
        unit(box, "main.service", f"{after}[Service]\nExecStart=/bin/sh /etc/main-{word}\n")
        box.path(f"/etc/main-{word}").write_text(f"exit {code}\n")
        assert box.start("main.service").exit_code == 0
        until(box.path(f"/etc/ended-{word}").exists, 60)


def test_service_is_ended_by_its_signal_and_then_by_force(box: Sandbox) -> None:
    for word, ends in (("polite", "exit"), ("deaf", "true")):
        lines = "KillMode=process\nKillSignal=SIGINT"
        unit(box, f"{word}.service", f"[Service]\n{lines}\nExecStart=/bin/bash /etc/{word}\n")
        box.path(f"/etc/{word}").write_text(
            f"trap 'echo INT >/etc/{word}-said; {ends}' INT\n"
            f"touch /etc/{word}-listens\nwhile true; do /usr/bin/sleep 1000 & wait; done\n"
        )
        box.start(f"{word}.service")
        until(box.path(f"/etc/{word}-listens").exists, 60)
        box.run("systemctl", "stop", f"{word}.service")
        assert box.read(f"/etc/{word}-said") == "INT\n"
        assert box.run("systemctl", "is-active", f"{word}.service").returncode == 3
        assert f"/etc/{word}" not in box.run("sh", "-c", "cat /proc/[0-9]*/cmdline").stdout


def test_machine_that_powers_itself_off_is_off_until_somebody_starts_it() -> None:
    with sandbox([]) as made:
        unit(made, "off.service", "[Service]\nType=oneshot\nExecStart=/bin/sh /etc/off\n")
        made.path("/etc/off").write_text("systemctl poweroff; mkdir /etc/afterwards\n")
        before = made.is_off
        done = made.start("off.service")
        assert (before, made.is_off, done.exit_code != 0) == (False, True, True)
        assert not made.exists("/etc/afterwards")
        made.reboot()
        assert not made.exists("/sandbox/off")


def test_power_cut_ends_everything_before_the_command_runs() -> None:
    with sandbox([]) as made:
        unit(
            made,
            "work.service",
            "[Service]\nType=oneshot\nExecStart=/bin/sh /etc/work\n[Install]\nWantedBy=multi-user.target\n",
        )
        made.path("/etc/work").write_text("echo a >/etc/first; head /dev/null; mkdir /etc/second\n")
        made.run("systemctl", "enable", "work.service")
        before = made.run("cat", "/proc/sys/kernel/random/boot_id").stdout
        result = made.start("work.service", power_cut="/etc/second")
        assert result.exit_code != 0
        assert made.exists("/etc/first")
        assert not made.exists("/etc/second")
        assert made.reboot().exit_code == 0
        assert made.exists("/etc/second")
        assert made.run("cat", "/proc/sys/kernel/random/boot_id").stdout != before


def test_reboot_forgets_what_memory_held() -> None:
    with sandbox([]) as made:
        made.run("sh", "-c", "echo a >/run/held; echo a >/var/kept; /usr/bin/sleep 600 >/dev/null 2>&1 &")
        made.reboot()
        assert not made.exists("/run/held")
        assert made.exists("/var/kept")
        assert "sleep" not in made.run("sh", "-c", "cat /proc/[0-9]*/cmdline").stdout


def test_service_that_is_away_is_away_for_as_many_connections() -> None:
    service = Service(("vault.example",), handler(greet), refused=2)
    with sandbox([service]) as made:
        codes = [made.run("curl", "-sS", "https://vault.example/").returncode for _ in range(3)]
        assert [code == 0 for code in codes] == [False, False, True]


def test_disk_has_the_given_size() -> None:
    with sandbox([], disk_mib=16) as made:
        done = made.run("dd", "if=/dev/zero", "of=/usr/local/big", "bs=1M", "count=32")
        assert "No space left on device" in done.stderr


def test_real_control_plane_is_not_needed_for_its_stand_in_to_refuse() -> None:
    with sandbox([]) as made:
        done = made.run("/sandbox/stand-ins/k3s", "kubectl", "get", "--raw", "/readyz")
        assert "refused" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\n",
        "#cloud-config\nhostname: a\npackages: [jq]\n",
        "#cloud-config\nhostname: a\nruncmd: [reboot]\n",
        "#cloud-config\nhostname: a\nwrite_files: [{path: /a, content: b, owner: 'root:root', permissions: '0644', defer: true}]\n",
    ],
)
def test_boot_text_that_does_more_than_the_sandbox_knows_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"boot text|sandbox|commands"):
        apply(text, tmp_path)


def test_cloud_init_is_done_without_errors_and_without_warnings() -> None:
    cloud = Cloud()
    with sandbox(cloud.services, devices={"mshv": "opens"}) as made:
        if cloud_init.missing(made):
            pytest.skip(cloud_init.missing(made))
        told = cloud_init.boot(made, cloud.text())
        assert (told.status, told.errors, told.warnings) == ("done", [], [])
        assert cloud.stages[-1] == "ready"


def test_cloud_init_tells_of_a_boot_that_failed() -> None:
    cloud = Cloud()
    cloud.vault.refused = 10**9
    with sandbox(cloud.services) as made:
        if cloud_init.missing(made):
            pytest.skip(cloud_init.missing(made))
        told = cloud_init.boot(made, cloud.text())
        assert told.status == "error"
        assert "scripts-user" in told.errors[0]


def test_cloud_init_and_the_sandbox_make_the_same_machine() -> None:
    cloud = Cloud()
    with sandbox(cloud.services) as made, machine(Cloud(), devices={}) as other:
        if cloud_init.missing(made):
            pytest.skip(cloud_init.missing(made))
        cloud_init.boot(made, cloud.text())
        folder = made.path("/usr/local/lib/virt-ci")
        files = [f"/usr/local/lib/virt-ci/{path.name}" for path in folder.iterdir()]
        assert [(path, made.mode(path), made.read(path)) for path in files] == [
            (path, other.box.mode(path), other.box.read(path)) for path in files
        ]
        assert made.enabled == other.box.enabled
