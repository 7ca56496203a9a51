"""A dom0 machine boots: the rendered text runs for real, on a good day and on bad ones."""

import json
from collections.abc import Iterator

import pytest

from tests.boot.machines import SENTINEL, Machine, claims, machine
from tests.rehearsal.boot.cloud import MACHINE, Cloud
from virtci.core.boot_tags import Reason, Stage
from virtci.core.hypervisors import Hypervisor
from virtci.core.networks import KUBERNETES_API_PORT
from virtci.core.probes import parse_probe
from virtci.rehearsal.boot.sandbox import ADDRESS, Sandbox, k3s_binary

ALWAYS = 10**9
GOOD = ["booting", "probed", "installed", "published", "ready"]
K3S = "/usr/local/bin/k3s"
SAVED_RULES = "/etc/systemd/scripts/ip4save"
WEEK = 7 * 24 * 3_600


@pytest.fixture(scope="module")
def good() -> Iterator[Machine]:
    with machine(Cloud()) as booted:
        yield booted


def test_machine_gets_ready_and_tells_every_stage(good: Machine) -> None:
    assert good.result.exit_code == 0, good.result.log
    assert good.cloud.stages == GOOD
    assert good.is_ready()
    assert good.told().stage is Stage.READY
    assert good.told().hypervisor is Hypervisor.MSHV
    assert good.told().reason == ""
    assert good.box.waited == 0


def test_kubeconfig_in_the_vault_leads_to_the_private_address(good: Machine) -> None:
    assert len(good.cloud.versions) == 1
    content = good.published
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    assert content["current-context"] == content["contexts"][0]["name"] == "dev"
    assert cluster["server"] == f"https://{ADDRESS}:{KUBERNETES_API_PORT}"
    assert cluster["certificate-authority-data"]
    assert claims(user["token"])["sub"] == "system:serviceaccount:virt-ci:deployer"


def test_vault_secret_expires_with_its_token_after_a_week(good: Machine) -> None:
    version = good.cloud.versions[0]
    expires = claims(good.published["users"][0]["user"]["token"])["exp"]
    now = int(good.box.run("date", "+%s").stdout)
    assert version["attributes"] == {"enabled": True, "exp": expires}
    assert WEEK - 600 < expires - now <= WEEK
    assert version["contentType"] == "application/yaml"
    assert version["tags"] == {"owner": "kubevirt-ci"}


def test_credential_can_be_revoked_by_its_secret(good: Machine) -> None:
    assert len(good.bound) == 1
    assert "ClusterRoleBinding//virt-ci-deployer" in good.box.objects


def test_probe_is_in_the_cluster_and_on_the_machine(good: Machine) -> None:
    document = good.box.read("/var/lib/virt-ci/probe.json")
    data = good.box.objects["ConfigMap/virt-ci/boot-probe"]["data"]
    probe = parse_probe(document, "the machine")
    assert data == {"probe.json": document}
    assert probe.host == MACHINE
    assert probe.mshv.opens
    assert not probe.kvm.exists
    assert probe.hypervisor is Hypervisor.MSHV


def test_k3s_listens_on_the_private_address_only(good: Machine) -> None:
    assert _api_addresses(good) == [ADDRESS]


def test_k3s_encrypts_secrets_and_serves_known_names(good: Machine) -> None:
    lines = good.box.read("/etc/rancher/k3s/config.yaml").splitlines()
    assert "secrets-encryption: true" in lines
    assert {f"  - {ADDRESS}", f"  - {MACHINE}", "  - traefik", "  - servicelb"} <= set(lines)


def test_files_with_credentials_are_for_root_only(good: Machine) -> None:
    assert good.box.mode("/etc/rancher/k3s/k3s.yaml") == "0600"
    assert good.box.mode(K3S) == "0755"
    assert good.box.mode(SENTINEL) == "0644"


def test_no_secret_is_in_a_log_a_file_or_a_command_line(good: Machine) -> None:
    assert good.secrets
    lines = [" ".join(command) for command in good.box.commands]
    assert any(line.startswith("curl ") for line in lines)
    assert any("create token" in line for line in lines)
    texts = [good.result.log, *lines, *(path.read_bytes().decode(errors="replace") for path in good.box.written())]
    assert not [text[:80] for text in texts for secret in good.secrets if secret in text]


def test_nothing_is_installed_or_upgraded(good: Machine) -> None:
    assert not {"tdnf", "dnf", "yum", "apt-get"} & {command[0] for command in good.box.commands}


def test_kernel_and_hypervisor_are_held_beside_what_the_image_holds(good: Machine) -> None:
    line = next(line for line in good.box.read("/etc/dnf/dnf.conf").splitlines() if line.startswith("excludepkgs"))
    held = line.removeprefix("excludepkgs=").split()
    assert {"nodejs-debuginfo", "kernel", "kernel-*", "hvloader*", "mshv", "qemu*", "libvirt*"} <= set(held)
    assert good.box.read("/etc/tdnf/tdnf.conf").splitlines()[:3] == [
        "[main]",
        "excludepkgs=cloud-hypervisor* hvloader* kernel kernel-* libvirt* mshv mshv-* qemu*",
        "gpgcheck=1",
    ]


def test_firewall_lets_runners_in_and_nobody_else(good: Machine) -> None:
    rules = good.box.run("iptables-save", "--table", "filter").stdout.splitlines()
    own = [line for line in rules if line.startswith("-A VIRT-CI ")]
    assert next(line for line in rules if line.startswith("-A INPUT")) == "-A INPUT -j VIRT-CI"
    assert own[-2:] == [
        "-A VIRT-CI -s 10.60.0.0/24 -p tcp -m multiport --dports 22,6443 -j ACCEPT",
        "-A VIRT-CI -p tcp -m multiport --dports 22,6443 -j DROP",
    ]


def test_firewall_outlives_a_restart_without_what_kubernetes_adds(good: Machine) -> None:
    saved = good.box.read(SAVED_RULES)
    assert "-A VIRT-CI -p tcp -m multiport --dports 22,6443 -j DROP" in saved
    assert "iptables.service" in good.box.enabled
    assert "KUBE-" not in saved


def test_timers_run_once_there_is_something_to_renew(good: Machine) -> None:
    assert {"virt-ci-renewal.timer", "virt-ci-rotation.timer", "virt-ci-boot.service"} <= good.box.enabled


def test_metadata_service_that_is_late_is_waited_for() -> None:
    cloud = Cloud(busy_metadata=3)
    cloud.metadata.refused = 4
    with machine(cloud) as booted:
        assert booted.is_ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8 + 16 + 32 + 60 + 60


def test_machine_without_metadata_service_says_so_and_installs_nothing() -> None:
    cloud = Cloud()
    cloud.metadata.refused = ALWAYS
    with machine(cloud) as booted:
        assert booted.result.exit_code != 0
        assert "boot failed: METADATA: the metadata service does not tell" in booted.result.log
        assert not booted.box.exists(K3S)
        assert not booted.is_ready()


def test_role_that_propagates_is_waited_for() -> None:
    with machine(Cloud(forbidden_secrets=8)) as booted:
        assert booted.is_ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60
        assert len(booted.cloud.versions) == 1


def test_role_that_never_comes_is_named() -> None:
    with machine(Cloud(forbidden_secrets=ALWAYS)) as booted:
        assert booted.result.exit_code != 0
        assert booted.told().code is Reason.ROLE
        assert "dev-kubeconfig" in booted.told().reason
        assert 900 <= booted.box.waited < 1_200
        assert booted.bound == []


def test_vault_that_is_unreachable_fails_the_boot_and_a_later_one_converges() -> None:
    cloud = Cloud()
    cloud.vault.refused = ALWAYS
    with machine(cloud) as booted:
        assert booted.result.exit_code != 0
        assert booted.told().stage is Stage.FAILED
        assert booted.told().code is Reason.VAULT
        assert "vault.azure.net" in booted.told().reason
        assert not booted.is_ready()
        cloud.vault.refused = 0
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.is_ready()
        assert booted.told().stage is Stage.READY
        assert len(booted.cloud.downloads) == 2


def test_failed_boot_is_tried_again_without_a_restart() -> None:
    cloud = Cloud()
    cloud.vault.refused = ALWAYS
    with machine(cloud) as booted:
        assert "virt-ci-boot.timer" in booted.box.enabled
        cloud.vault.refused = 0
        assert booted.box.start("virt-ci-boot.service").exit_code == 0
        assert booted.is_ready()
        published = len(cloud.versions)
        assert booted.box.start("virt-ci-boot.service").exit_code == 0
        assert len(cloud.versions) == published


def test_each_try_tells_its_own_reason() -> None:
    cloud = Cloud()
    cloud.vault.refused = ALWAYS
    with machine(cloud) as booted:
        assert booted.told().code is Reason.VAULT
        cloud.vault.refused, cloud.forbidden_secrets = 0, ALWAYS
        booted.box.start("virt-ci-boot.service")
        assert booted.told().code is Reason.ROLE


def test_run_that_fails_takes_the_readiness_away() -> None:
    cloud = Cloud()
    with machine(cloud) as booted:
        assert booted.is_ready()
        cloud.vault.refused = ALWAYS
        booted.box.run("systemctl", "restart", "virt-ci-boot.service")
        assert not booted.is_ready()


def test_boot_does_not_fail_for_tags_that_nobody_takes() -> None:
    with machine(Cloud(forbidden_tags=ALWAYS)) as booted:
        assert booted.is_ready(), booted.result.log
        assert "stage ready was not told" in booted.result.log


@pytest.mark.parametrize("pinned", ["binary_sha256", "install_script_sha256"])
def test_nothing_runs_that_is_not_what_was_pinned(pinned: str) -> None:
    with machine(Cloud(), pins={pinned: "0" * 64}) as booted:
        assert booted.result.exit_code != 0
        assert booted.told().code is Reason.CHECKSUM
        assert booted.cloud.stages == ["booting", "probed", "failed"]
        assert not booted.box.exists(K3S)
        assert not booted.box.exists(f"{K3S}.part")
        assert not booted.box.exists("/etc/systemd/system/k3s.service")
        assert not [command for command in booted.box.commands if command[0] == "k3s"]


def test_release_that_does_not_exist_is_named() -> None:
    with machine(Cloud(), pins={"version": "v1.34.9+k3s9"}) as booted:
        assert booted.told().code is Reason.DOWNLOAD
        assert "v1.34.9%2Bk3s9" in booted.told().reason
        assert booted.box.waited == 0


def test_download_that_breaks_is_tried_again() -> None:
    cloud = Cloud()
    cloud.releases.refused = 3
    with machine(cloud) as booted:
        assert booted.is_ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8


def test_full_disk_is_named_and_a_larger_one_converges() -> None:
    with machine(Cloud(binary=k3s_binary(size_kib=24 * 1_024)), disk_mib=16) as booted:
        assert booted.result.exit_code != 0
        assert booted.told().code is Reason.DISK
        assert K3S in booted.told().reason
        assert not booted.box.exists(K3S)
        assert not booted.box.exists(f"{K3S}.part")
        booted.box.run("mount", "-o", "remount,size=256m", "/")
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.is_ready()


CUTS = {
    "before the script is there": "k3s/v1.34.1%2Bk3s1/install.sh",
    "before the binary is there": "releases/download",
    "with a configuration and no installation": "install-k3s-release.sh",
    "between installation and start": "restart\x1fk3s.service",
    "before the token": "create\x1ftoken",
    "before the vault": f"https://kubevirtkv.vault.azure.net/secrets/{'dev-kubeconfig'}",
    "before the timers": "virt-ci-renewal.timer",
}


@pytest.mark.parametrize("where", CUTS)
def test_boot_that_was_cut_short_goes_on_after_a_restart(where: str) -> None:
    with machine(Cloud(), power_cut=CUTS[where]) as booted:
        assert booted.result.exit_code != 0
        assert not booted.is_ready()
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.is_ready()
        assert booted.told().stage is Stage.READY
        assert booted.published["users"][0]["user"]["token"]
        assert booted.box.mode("/etc/rancher/k3s/k3s.yaml") == "0600"


def test_second_run_changes_nothing_but_the_credential() -> None:
    with machine(Cloud()) as booted:
        watched = (
            K3S,
            "/etc/rancher/k3s/config.yaml",
            "/etc/systemd/system/k3s.service",
            SAVED_RULES,
            "/etc/dnf/dnf.conf",
        )
        before = {path: booted.box.path(path).stat().st_mtime_ns for path in watched}
        rules = booted.box.run("iptables-save").stdout
        booted.box.advance(60)
        done = booted.box.run("systemctl", "restart", "virt-ci-boot.service")
        assert done.returncode == 0
        assert {path: booted.box.path(path).stat().st_mtime_ns for path in watched} == before
        assert _without_comments(booted.box.run("iptables-save").stdout) == _without_comments(rules)
        assert booted.cloud.stages == GOOD * 2
        assert len(booted.cloud.downloads) == 2
        assert len(booted.cloud.versions) == len(booted.bound) == 2


def test_firewall_is_up_before_kubernetes_after_a_restart() -> None:
    with machine(Cloud()) as booted:
        again = booted.box.reboot()
        assert again.exit_code == 0
        started = [command[2] for command in again.commands if command[:2] == ["systemctl", "start"]]
        assert started.index("iptables.service") < started.index("k3s.service")
        assert "-A VIRT-CI" in booted.box.run("iptables-save").stdout


def test_address_that_changed_is_published_anew() -> None:
    with machine(Cloud()) as booted:
        booted.cloud.address = "10.60.1.9"
        booted.box.run("ip", "address", "add", "10.60.1.9/32", "dev", "lo")
        again = booted.box.reboot()
        assert again.exit_code == 0, again.log
        assert booted.published["clusters"][0]["cluster"]["server"] == "https://10.60.1.9:6443"
        assert _api_addresses(booted) == ["10.60.1.9"]


def test_wrong_image_is_caught_by_name_and_the_machine_is_complete() -> None:
    with machine(Cloud(), devices={}) as booted:
        assert booted.is_ready(), booted.result.log
        assert booted.told().hypervisor is Hypervisor.EMULATION
        assert booted.told().code is None
        assert "there is no /dev/mshv" in booted.told().reason
        assert "not a dom0qemu image" in booted.told().reason
        assert json.loads(booted.box.read(SENTINEL))["hypervisor"] == "emulation"


def test_device_that_exists_and_does_not_open_is_no_hypervisor() -> None:
    with machine(Cloud(), devices={"mshv": "present", "kvm": "opens"}) as booted:
        assert booted.told().hypervisor is Hypervisor.KVM
        assert "/dev/mshv exists but does not open" in booted.told().reason


def test_emulation_is_what_it_is_without_any_device() -> None:
    with machine(Cloud(), Hypervisor.EMULATION, devices={}) as booted:
        assert booted.told().hypervisor is Hypervisor.EMULATION
        assert booted.told().reason == ""


def test_image_without_a_program_is_named() -> None:
    def remove(box: Sandbox) -> None:
        for path in ("/usr/bin/flock", "/usr/local/sbin/flock"):
            box.path(path).unlink()

    with machine(Cloud(), before=remove) as booted:
        assert booted.result.exit_code != 0
        assert "IMAGE: the image has no flock" in booted.result.log


def test_api_that_takes_its_time_is_waited_for() -> None:
    with machine(Cloud(), before=lambda box: box.break_k3s(not_ready=3)) as booted:
        assert booted.is_ready(), booted.result.log
        assert booted.box.waited == 2 + 4 + 8


def test_k3s_that_does_not_start_is_named() -> None:
    with machine(Cloud(), before=lambda box: box.break_k3s(starts=False)) as booted:
        assert booted.told().code is Reason.K3S
        assert booted.result.exit_code != 0


def test_stage_that_hangs_is_ended_at_its_deadline() -> None:
    hanging = Cloud(install_script=b"#!/bin/sh\nexec tail -f /dev/null\n")
    soon = '#!/bin/sh\n[ "$2" != 1500 ] || { shift 2; set -- --kill-after=1 3 "$@"; }\nexec /usr/bin/timeout "$@"\n'
    with machine(hanging, programs={"timeout": soon}) as booted:
        assert booted.result.exit_code != 0
        assert booted.told().code is Reason.DEADLINE
        assert "stage install" in booted.told().reason


def _api_addresses(booted: Machine) -> list[str]:
    """Where something listens at the port of the API; the kernel shows addresses in little endian."""
    lines = [line.split() for line in booted.box.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout.splitlines()]
    listening = [line[1].split(":") for line in lines if len(line) > 3 and line[3] == "0A"]
    found = [address for address, port in listening if int(port, 16) == KUBERNETES_API_PORT]
    return [".".join(str(part) for part in reversed(bytes.fromhex(address))) for address in found]


def _without_comments(rules: str) -> list[str]:
    return [line for line in rules.splitlines() if not line.startswith("#")]
