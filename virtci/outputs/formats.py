"""The outputs of a stack in the forms that other tools read."""

import json
from collections.abc import Callable

import yaml

from virtci.outputs.contract import MachinePart, Outputs

Format = Callable[[Outputs], str]


def as_json(outputs: Outputs) -> str:
    """The whole contract."""
    return outputs.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


def as_env(outputs: Outputs) -> str:
    """Shell variables: an environment's values carry its name as a prefix."""
    values = {"VIRTCI_STACK": outputs.stack, "VIRTCI_REGION": outputs.region}
    if outputs.vault:
        values["VIRTCI_KEY_VAULT"] = outputs.vault.name
    if outputs.runner_labels:
        values["VIRTCI_RUNNER_LABELS"] = json.dumps(list(outputs.runner_labels))
    for name, environment in outputs.environments.items():
        prefix = name.value.upper().replace("-", "_")
        values |= {
            f"{prefix}_COMPUTE": environment.compute,
            f"{prefix}_RESOURCE_GROUP": environment.resource_group,
            f"{prefix}_GATE": environment.gate.value,
            f"{prefix}_HYPERVISOR": environment.hypervisor.value,
            f"{prefix}_KUBECONFIG_SECRET": environment.kubeconfig_secret,
            f"{prefix}_CLIENT_ID": environment.identity.client_id,
            f"{prefix}_TEST_FOCUS": environment.tests.focus,
            f"{prefix}_TESTS_ENABLED": str(environment.tests.enabled).lower(),
        }
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def as_ssh_config(outputs: Outputs) -> str:
    """A file for `ssh -F`: every machine by name; the keys are in the vault, under the names in the comments."""
    return "\n".join(_ssh_host(machine) for machine in outputs.machines)


def as_ansible(outputs: Outputs) -> str:
    """An inventory in YAML: machines grouped by role and by environment."""
    groups: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for machine in outputs.machines:
        host = {
            "ansible_host": machine.private_address,
            "ansible_user": machine.user,
            "ssh_key_secret": machine.ssh_key_secret,
            "size": machine.size,
        }
        names = [f"{machine.role}s", *([machine.environment.value] if machine.environment else [])]
        for name in names:
            groups.setdefault(name.replace("-", "_"), {"hosts": {}})["hosts"][machine.name] = dict(host)
    return str(yaml.safe_dump({"all": {"children": groups}}, sort_keys=True))


def as_github_matrix(outputs: Outputs) -> str:
    """One line of JSON for `strategy.matrix`: an entry per environment."""
    include = [
        {
            "environment": name.value,
            "compute": environment.compute,
            "hypervisor": environment.hypervisor.value,
            "gate": environment.gate.value,
            "focus": environment.tests.focus,
            "tests": environment.tests.enabled,
            "reason": environment.tests.reason,
        }
        for name, environment in outputs.environments.items()
    ]
    return json.dumps({"include": include}, separators=(",", ":")) + "\n"


FORMATS: dict[str, Format] = {
    "json": as_json,
    "env": as_env,
    "ssh-config": as_ssh_config,
    "ansible": as_ansible,
    "github-matrix": as_github_matrix,
}


def _ssh_host(machine: MachinePart) -> str:
    return (
        f"# private key: vault secret {machine.ssh_key_secret}\n"
        f"Host {machine.name}\n"
        f"  HostName {machine.private_address}\n"
        f"  User {machine.user}\n"
        f"  IdentityFile ~/.ssh/{machine.name}\n"
        "  IdentitiesOnly yes\n"
        "  StrictHostKeyChecking accept-new\n"
    )


def _quoted(value: str) -> str:
    """A value in single quotes, safe for any shell."""
    return "'" + value.replace("'", "'\\''") + "'"
