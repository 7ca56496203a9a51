"""The boot text of a dom0 machine: reviewed as a file, taken by the platform and by cloud-init, without a credential."""

import os
import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.boot.texts import assert_valid_cloud_config, files, read
from virtci.boot.dom0 import HELD_PACKAGES, Dom0Context, K3sRelease, dom0_boot_text
from virtci.boot.render import LIMIT
from virtci.core.credentials import credentials_in
from virtci.core.hypervisors import Hypervisor
from virtci.core.networks import RESERVED
from virtci.core.problems import Refusal

GOLDEN = Path(__file__).parent / "golden" / "dom0.yaml"
CONTEXT = Dom0Context(
    hostname="kubevirt-dev-mshv-qemu-k3s-vm",
    environment="dev",
    hypervisor=Hypervisor.MSHV,
    vault_uri="https://kubevirtkv.vault.azure.net/",
    kubeconfig_secret="dev-kubeconfig",
    secret_tags={"owner": "kubevirt-ci", "system": "l1vh"},
    address_space=IPv4Network("10.60.0.0/16"),
    runners_subnet=IPv4Network("10.60.0.0/24"),
    k3s=K3sRelease("v1.34.1+k3s1", "a" * 64, "b" * 64),
)
ranges = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.ip_addresses(v=4),
    st.integers(min_value=8, max_value=28),
)


def test_boot_text_is_the_reviewed_one() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(dom0_boot_text(CONTEXT))
    assert dom0_boot_text(CONTEXT) == GOLDEN.read_text()


@pytest.mark.program("cloud-init")
def test_boot_text_is_valid_cloud_config(tmp_path: Path) -> None:
    assert_valid_cloud_config(dom0_boot_text(CONTEXT), tmp_path)


def test_boot_text_leaves_half_of_the_room() -> None:
    assert len(dom0_boot_text(CONTEXT).encode()) < LIMIT // 2


def test_boot_text_holds_no_credential() -> None:
    assert list(credentials_in(dom0_boot_text(CONTEXT))) == []


def test_scripts_are_the_same_for_every_machine() -> None:
    other = replace(CONTEXT, hostname="other", environment="test-mshv", kubeconfig_secret="test-mshv-kubeconfig")
    different = {
        path
        for path, content in files(dom0_boot_text(other)).items()
        if files(dom0_boot_text(CONTEXT))[path] != content
    }
    assert different == {"/etc/virt-ci/boot.env"}


def test_scripts_arrive_as_they_are() -> None:
    folder = Path(__file__).parents[2] / "virtci" / "boot" / "scripts"
    arrived = {
        Path(path).name: content for path, content in files(dom0_boot_text(CONTEXT)).items() if path.endswith(".sh")
    }
    assert "boot.sh" in arrived
    assert arrived == {name: (folder / name).read_text() for name in arrived}


def test_kernel_is_left_alone() -> None:
    content = read(dom0_boot_text(CONTEXT))
    assert content["package_upgrade"] is content["package_update"] is content["package_reboot_if_required"] is False
    assert "packages" not in content
    assert {"kernel", "kernel-*", "mshv"} <= set(HELD_PACKAGES)


def test_nobody_logs_in_with_a_password_or_as_root() -> None:
    content = read(dom0_boot_text(CONTEXT))
    assert content["ssh_pwauth"] is False
    assert content["disable_root"] is True
    assert not re.search(r"passwd|password", dom0_boot_text(CONTEXT))


def test_first_boot_is_one_command() -> None:
    assert read(dom0_boot_text(CONTEXT))["runcmd"] == [
        ["systemctl", "enable", "--now", "virt-ci-boot.timer", "virt-ci-boot.service"]
    ]


def test_settings_of_k3s_do_not_leak_into_its_service() -> None:
    names = [line.partition("=")[0] for line in files(dom0_boot_text(CONTEXT))["/etc/virt-ci/boot.env"].splitlines()]
    assert all(name.startswith("VIRTCI_") for name in names)


@pytest.mark.parametrize("user", [user for user in RESERVED if user.startswith("k3s")])
def test_network_that_k3s_uses_inside_is_refused(user: str) -> None:
    taken = replace(CONTEXT, address_space=RESERVED[user], runners_subnet=next(RESERVED[user].subnets(new_prefix=24)))
    with pytest.raises(Refusal) as refusal:
        dom0_boot_text(taken)
    assert CONTEXT.hostname in refusal.value.consequence
    assert str(RESERVED[user]) in refusal.value.consequence


@settings(deadline=None)
@given(space=ranges)
def test_text_exists_exactly_when_no_range_overlaps(space: IPv4Network) -> None:
    context = replace(CONTEXT, address_space=space, runners_subnet=space)
    overlaps = space.overlaps(context.pod_range) or space.overlaps(context.service_range)
    try:
        text = dom0_boot_text(context)
    except Refusal:
        assert overlaps
    else:
        assert not overlaps
        assert f'VIRTCI_RUNNERS_SUBNET="{space}"' in text


def test_runners_of_another_network_are_refused() -> None:
    with pytest.raises(Refusal, match="runners"):
        dom0_boot_text(replace(CONTEXT, runners_subnet=IPv4Network("10.61.0.0/24")))


def test_vault_without_tls_is_refused() -> None:
    with pytest.raises(Refusal, match="https"):
        dom0_boot_text(replace(CONTEXT, vault_uri="http://kubevirtkv.vault.azure.net"))


@pytest.mark.parametrize("secret", ['a"b', "a\nb", "a$b", "a`b", "a\\b", "a'b"])
def test_value_that_would_not_arrive_as_it_is_is_refused(secret: str) -> None:
    with pytest.raises(Refusal) as refusal:
        dom0_boot_text(replace(CONTEXT, kubeconfig_secret=secret))
    assert "VIRTCI_KUBECONFIG_SECRET" in refusal.value.rule


def test_text_above_the_limit_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        dom0_boot_text(replace(CONTEXT, secret_tags={"owner": "x" * LIMIT}))
    assert CONTEXT.hostname in refusal.value.consequence
