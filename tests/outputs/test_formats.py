"""The forms in which other tools read the outputs: each is a reviewed file."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outputs.sample import changed, outputs
from virtci.outputs.check import read
from virtci.outputs.formats import FORMATS, as_ansible, as_env, as_github_matrix, as_json, as_ssh_config

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"json": "json", "env": "env", "ssh-config": "config", "ansible": "yaml", "github-matrix": "json"}
HOSTILE = [
    "it's", "'; touch /tmp/broken; '", "$(id)", "`id`", "${HOME}", "a\nb=c", "\\", '"', "a b  c", "*", "#", "!!", "-n", "", "ä…",
]  # fmt: skip
MINIMAL = {"contractVersion": 1, "stack": "dev", "region": "westus"}


def values_in_a_shell(text: str) -> dict[str, str]:
    """What a POSIX shell has in its variables after reading the text."""
    names = re.findall(r"^([A-Z][A-Z0-9_]*)='", text, re.MULTILINE)
    show = "".join(f'printf "%s\\0" "${name}"; ' for name in names)
    result = subprocess.run(["/bin/sh", "-c", f"{text}\n{show}"], capture_output=True, check=True, env={}, timeout=20)
    assert result.stderr == b""
    return dict(zip(names, result.stdout.decode().split("\0"), strict=False))


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_the_reviewed_one(name: str) -> None:
    path = GOLDEN / f"{name}.{SUFFIX[name]}"
    text = FORMATS[name](read(outputs()))
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_every_format_has_a_reviewed_file_and_no_other_file_lies_there() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.{SUFFIX[name]}" for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_stack_without_anything_in_it_can_be_printed(name: str) -> None:
    assert isinstance(FORMATS[name](read(MINIMAL)), str)


def test_json_can_be_read_back_as_it_was() -> None:
    assert read(json.loads(as_json(read(outputs())))) == read(outputs())


def test_json_leaves_out_what_the_stack_does_not_declare() -> None:
    assert "vault" not in json.loads(as_json(read(MINIMAL)))


def test_env_can_be_read_by_a_shell() -> None:
    found = values_in_a_shell(as_env(read(outputs())))
    assert found["VIRTCI_KEY_VAULT"] == "kubevirtkv"
    assert json.loads(found["VIRTCI_RUNNER_LABELS"]) == ["self-hosted", "linux", "x64", "kubevirt-build"]
    assert (found["TEST_MSHV_TESTS_ENABLED"], found["DEV_TESTS_ENABLED"]) == ("false", "true")
    assert found["DEV_TEST_FOCUS"] == "((l1hv-new) && !sig-compute-migrations)"


def test_env_brings_hostile_values_through_a_shell_unharmed() -> None:
    for hostile in HOSTILE:
        content = changed(
            "stack", hostile, changed("vault.name", hostile, changed("environments.dev.compute", hostile))
        )
        found = values_in_a_shell(as_env(read(content)))
        assert found["VIRTCI_STACK"] == found["VIRTCI_KEY_VAULT"] == found["DEV_COMPUTE"] == hostile
        assert found["VIRTCI_REGION"] == "westus"


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_env_quotes_any_text(text: str) -> None:
    line = as_env(read({**MINIMAL, "stack": text}))
    assert shlex.split(line) == [f"VIRTCI_STACK={text}", "VIRTCI_REGION=westus"]


def test_env_names_every_environment_by_its_prefix() -> None:
    prefixes = {line.split("_COMPUTE")[0] for line in as_env(read(outputs())).splitlines() if "_COMPUTE=" in line}
    assert prefixes == {"DEV", "TEST_MSHV", "TEST_KVM"}


def test_inventory_groups_machines_by_role_and_by_environment() -> None:
    text = as_ansible(read(outputs()))
    children = yaml.safe_load(text)["all"]["children"]
    assert {name: sorted(group["hosts"]) for name, group in children.items()} == {
        "runners": ["kubevirt-gh-actions-runner-1"],
        "environments": ["kubevirt-dev-mshv-qemu-k3s-vm", "kubevirt-test-mshv-vm-k3s"],
        "dev": ["kubevirt-dev-mshv-qemu-k3s-vm"],
        "test_mshv": ["kubevirt-test-mshv-vm-k3s"],
    }
    assert "&id" not in text


def test_matrix_is_one_line_with_an_entry_for_each_environment() -> None:
    text = as_github_matrix(read(outputs()))
    assert text.count("\n") == 1
    entries = {entry["environment"]: entry for entry in json.loads(text)["include"]}
    assert entries.keys() == {"dev", "test-mshv", "test-kvm"}
    assert (entries["test-mshv"]["tests"], entries["test-kvm"]["gate"]) == (False, "off")
    assert entries["test-mshv"]["reason"]


def test_ssh_asks_for_one_key_and_trusts_a_host_only_the_first_time() -> None:
    text = as_ssh_config(read(outputs()))
    assert re.findall(r"^Host (\S+)$", text, re.MULTILINE) == [machine["name"] for machine in outputs()["machines"]]
    assert text.count("IdentitiesOnly yes") == text.count("StrictHostKeyChecking accept-new") == 3


SECRETS: dict[str, Any] = {
    "machines.0.sshPrivateKey": "hunter2",
    "environments.dev.kubeconfig": "hunter2",
    "vault.value": "hunter2",
    "secrets": {"SSH_PRIVATE_KEY": "hunter2"},
}


@pytest.mark.parametrize("path", SECRETS)
def test_contract_has_no_place_for_a_secret(path: str) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        read(changed(path, SECRETS[path]))


@pytest.mark.parametrize("name", FORMATS)
def test_format_holds_names_of_secrets_and_no_secret(name: str) -> None:
    text = FORMATS[name](read(outputs()))
    assert not re.search(r"PRIVATE KEY-----|client-certificate-data|client-key-data|password|token:", text)
    assert not re.search(r"[A-Za-z0-9+/]{64,}={0,2}", re.sub(r"/subscriptions/\S+", "", text))
    if name in ("json", "ssh-config", "ansible"):
        assert "kubevirt-test-mshv-vm-k3s-ssh-key" in text
