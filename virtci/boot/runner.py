"""The boot text of a runner (Ubuntu): GitHub's agent, registered once through the vault, under a user of its own.

The stages are in `scripts/runner-boot.sh`. Deliberately absent, beside what `render` leaves out: a registration token, a
key of a GitHub App, rights of the agent's user, and `--disableupdate`, because GitHub takes an agent that is not
updated for 30 days only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from virtci.boot.render import BootFile, environment, render, script, unit
from virtci.core.problems import Refusal
from virtci.core.runner_agent import require_agent

SERVICE = "virt-ci-boot.service"
RETRY = "virt-ci-boot.timer"
SCRIPTS = (
    "lib.sh",
    "read-facts.sh",
    "runner-boot.sh",
    "runner-isolate.sh",
    "runner-install.sh",
    "runner-register.sh",
    "runner-start.sh",
)
UNITS = {
    "runner-boot.service": SERVICE,
    "runner-isolation.service": "virt-ci-isolation.service",
    "runner-agent.service": "virt-ci-agent.service",
    RETRY: RETRY,
}
"""Files of `units/`, and what they are called on the machine."""
_REPOSITORY = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
_LABEL = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class AgentRelease:
    """A pinned release of GitHub's runner agent: version, and SHA-256 of its archive for linux-x64 as published."""

    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerContext:
    """What a runner needs to know."""

    hostname: str
    """Also the name of the runner."""
    repository_url: str
    """`https://github.com/OWNER/NAME`, whose jobs it runs."""
    labels: Sequence[str]
    """Beside those that every agent has: `self-hosted`, `Linux`, `X64`."""
    vault_uri: str
    """`https://NAME.vault.azure.net`, where the machine may read one secret."""
    registration_secret: str
    agent: AgentRelease


def runner_boot_text(context: RunnerContext) -> str:
    """The boot text of a runner. Raises `Refusal` for an agent, a repository, a label or a vault that cannot work."""
    require_agent(context.agent.version)
    _require(_REPOSITORY, context.repository_url, context, "https://github.com/OWNER/NAME")
    for label in context.labels:
        _require(_LABEL, label, context, "a label of letters, digits, `.`, `_`, `-`")
    if not context.vault_uri.startswith("https://"):
        raise Refusal(
            f"the address of a vault starts with https://; it is {context.vault_uri!r}",
            "the registration token would cross the network readable",
            "take it from the vault's properties: https://NAME.vault.azure.net",
        )
    return render(context.hostname, _files(context), RETRY, SERVICE)


def _require(shape: re.Pattern[str], value: str, context: RunnerContext, words: str) -> None:
    if not shape.fullmatch(value):
        raise Refusal(
            f"{words}; it is {value!r}",
            f"GitHub does not take the registration of runner {context.hostname}",
            "correct it in the settings of the hub",
        )


def _files(context: RunnerContext) -> list[BootFile]:
    return [
        environment(_values(context)),
        *(script(name) for name in SCRIPTS),
        *(unit(name, installed) for name, installed in UNITS.items()),
    ]


def _values(context: RunnerContext) -> dict[str, str]:
    return {
        "VIRTCI_VAULT_URI": context.vault_uri.rstrip("/"),
        "VIRTCI_REGISTRATION_SECRET": context.registration_secret,
        "VIRTCI_RUNNER_NAME": context.hostname,
        "VIRTCI_RUNNER_URL": context.repository_url,
        "VIRTCI_RUNNER_LABELS": ",".join(context.labels),
        "VIRTCI_AGENT_VERSION": context.agent.version,
        "VIRTCI_AGENT_SHA256": context.agent.sha256,
    }
