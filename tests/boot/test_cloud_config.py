"""The boot texts: reviewed as files, and without anything that would take the hypervisor away."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from virtci.boot.cloud_config import runner_boot_text

GOLDEN = Path(__file__).parent / "golden"
CUSTOM_DATA_LIMIT = 64 * 1024
"""Bytes that the platform takes (azure-docs, articles/virtual-machines/custom-data.md)."""
TEXTS: dict[str, tuple[Callable[[str], str], str]] = {
    "runner": (runner_boot_text, "kubevirt-gh-actions-runner-1"),
}
hostnames = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(["on", "no", "null", "1e3", "0x10", "true", "12.5", "2026-01-01"]),
)


def read(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def keys(node: Any) -> set[str]:
    """Every key of a document, at any depth."""
    if isinstance(node, dict):
        return set(node).union(*(keys(item) for item in node.values()))
    return set().union(*(keys(item) for item in node)) if isinstance(node, list) else set()


@pytest.mark.parametrize("name", TEXTS)
def test_boot_text_is_the_reviewed_one(name: str) -> None:
    render, hostname = TEXTS[name]
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(render(hostname))
    assert render(hostname) == path.read_text()


@pytest.mark.parametrize("name", TEXTS)
def test_kernel_is_left_alone(name: str) -> None:
    render, hostname = TEXTS[name]
    content = read(render(hostname))
    assert content["package_upgrade"] is False
    assert content["package_update"] is False
    assert not content.get("package_reboot_if_required")


@pytest.mark.parametrize("name", TEXTS)
def test_nobody_logs_in_with_a_password_or_as_root(name: str) -> None:
    render, hostname = TEXTS[name]
    content = read(render(hostname))
    assert content["ssh_pwauth"] is False
    assert content["disable_root"] is True
    assert not keys(content) & {"password", "chpasswd", "passwd", "hashed_passwd", "plain_text_passwd", "lock_passwd"}


@pytest.mark.parametrize("name", TEXTS)
@settings(deadline=None)
@given(hostname=hostnames)
def test_boot_text_of_any_machine_is_cloud_config_with_its_name(name: str, hostname: str) -> None:
    render, _ = TEXTS[name]
    text = render(hostname)
    assert text.splitlines()[0] == "#cloud-config"
    assert read(text)["hostname"] == hostname


@pytest.mark.parametrize("name", TEXTS)
def test_platform_takes_the_boot_text(name: str) -> None:
    render, _ = TEXTS[name]
    assert len(render("x" * 64).encode()) < CUSTOM_DATA_LIMIT // 2


@pytest.mark.parametrize("name", TEXTS)
def test_boot_text_is_the_same_every_time(name: str) -> None:
    render, hostname = TEXTS[name]
    assert render(hostname) == render(hostname)
    assert render(hostname) != render("another")
