"""Registering runners: a token from GitHub goes through a vault secret to the machine that waits for it, and is gone again.

The secret is written through Resource Manager, as a deployment writes it: that needs no right to read any value, and works
from outside the network, which the vault's own firewall does not (azure-docs, key-vault/general/network-security.md: it
guards the data plane alone). GitHub lets a token live for an hour; whoever could read older versions of the secret would
find one that works for the rest of it. Jobs cannot: they do not reach the machine's identity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from virtci.core.boot_tags import DEADLINE as BOOT_DEADLINE
from virtci.core.boot_tags import Boot, Reason, Stage, read_boot
from virtci.core.names import registration_secret
from virtci.core.problems import Refusal
from virtci.fleet.clouds import Clouds
from virtci.fleet.github_answers import asked
from virtci.fleet.troubles import asking
from virtci.fleet.waiting import Observe, Pace
from virtci.outputs.contract import MachinePart, VaultPart

if TYPE_CHECKING:
    import httpx

USED = "used"
"""What the secret says when its token has done its work; machines wait when they read it."""
DEADLINE = timedelta(minutes=45)
"""How long a machine may take: it looks for a token for twenty minutes, and again after a quarter of an hour."""
RUNNING = "PowerState/running"
PERMISSION = "Administration: write"
"""What the GitHub App of GITHUB_TOKEN has to have."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """Whom to ask, and where the runners belong: `repository` is `OWNER/NAME`."""

    clouds: Clouds
    github: "httpx.Client"
    repository: str
    vault: VaultPart
    pace: Pace
    observe: Observe


@dataclass(frozen=True, slots=True)
class _Seen:
    """A runner as GitHub and its machine tell of it."""

    online: bool
    running: bool
    is_new: bool
    boot: Boot | None

    @property
    def boots(self) -> bool:
        """Whether its machine is on its way, or waits for a registration; what GitHub lists is of an earlier boot then."""
        if self.boot is None:
            return self.is_new
        return self.boot.stage is not Stage.READY and self.boot.code in (None, Reason.REGISTRATION)

    @property
    def takes_jobs(self) -> bool:
        return self.online and not self.boots


def runners_of(machines: Iterable[MachinePart], names: Sequence[str]) -> list[MachinePart]:
    """The runners of these names, all of them for none. Raises `Refusal` for a name that is no runner."""
    known = {machine.name: machine for machine in machines if machine.role == "runner"}
    for name in names:
        if name not in known:
            raise Refusal(
                f"`{name}` is a runner of the hub",
                "there is nothing to register",
                f"it has: {', '.join(known) or 'none; read the outputs of the stack `hub` as well'}",
            )
    return [known[name] for name in names or known]


def missing(registrar: Registrar, runners: Iterable[MachinePart]) -> list[MachinePart]:
    """The runners that take no jobs although their machines run. Raises `Refusal` when that cannot be told."""
    found = []
    for runner in runners:
        seen = _look(registrar, runner)
        if not seen.running:
            registrar.observe(f"{runner.name}: its machine is off; nobody would take a token")
        elif not seen.takes_jobs:
            found.append(runner)
    return found


def register(registrar: Registrar, runners: Sequence[MachinePart], deadline: timedelta = DEADLINE) -> None:
    """Registers runners and waits until they take jobs. Raises `Refusal` naming those that do not, each with its reason.

    However it ends, no usable token is the newest version of a secret.
    """
    for runner in runners:
        _refuse_off(runner, _look(registrar, runner))
    try:
        for runner in runners:
            token, expires = _token(registrar)
            _keep(registrar, runner, token, expires)
            registrar.observe(f"{runner.name}: a token is in the vault until {expires:%H:%M} UTC")
        _wait(registrar, runners, deadline)
    finally:
        for runner in runners:
            _keep(registrar, runner, USED)


def _wait(registrar: Registrar, runners: Sequence[MachinePart], deadline: timedelta) -> None:
    seen: dict[str, _Seen] = {}
    left = list(runners)

    def question() -> bool | None:
        for runner in tuple(left):
            seen[runner.name] = _look(registrar, runner)
            if seen[runner.name].takes_jobs:
                registrar.observe(f"{runner.name}: takes jobs of {registrar.repository}")
                left.remove(runner)
        return None if left else True

    if registrar.pace.until(question, deadline) is None:
        raise Refusal(
            f"runners take jobs within {deadline.total_seconds() / 60:g} minutes of their token",
            "; ".join(_trouble(runner, seen[runner.name]) for runner in left),
            "; ".join(dict.fromkeys(_fix(runner, seen[runner.name]) for runner in left)),
        )


def _trouble(runner: MachinePart, seen: _Seen) -> str:
    if seen.boot is None:
        return f"{runner.name} is offline, and its machine has not said a word of its boot"
    came = f"its boot came to `{seen.boot.stage}` at {seen.boot.at:%H:%M} UTC"
    return f"{runner.name} is offline; {came}" + (f": {seen.boot.reason}" if seen.boot.reason else "")


def _fix(runner: MachinePart, seen: _Seen) -> str:
    if seen.boot and seen.boot.code and seen.boot.code is not Reason.REGISTRATION:
        return seen.boot.fix
    log = f"az vm boot-diagnostics get-boot-log --resource-group {runner.resource_group} --name {runner.name}"
    return f"read its log ({log}), then run this again"


def _refuse_off(runner: MachinePart, seen: _Seen) -> None:
    if not seen.running:
        raise Refusal(
            f"the machine of runner {runner.name} runs",
            "nobody would take the token",
            f"start it: az vm start --resource-group {runner.resource_group} --name {runner.name}",
        )


def _look(registrar: Registrar, runner: MachinePart) -> _Seen:
    listed = _github(registrar, "GET", "", params={"name": runner.name})["runners"]
    online = any(item["status"] == "online" for item in listed)
    with asking(f"machine {runner.name}"):
        machine = registrar.clouds.compute.virtual_machines.get(
            runner.resource_group, runner.name, expand="instanceView"
        )
    running = RUNNING in {status.code for status in machine.instance_view.statuses or []}
    is_new = machine.time_created is not None and registrar.pace.now() - machine.time_created < BOOT_DEADLINE
    return _Seen(online, running, is_new, read_boot(machine.tags or {}, runner.name))


def _token(registrar: Registrar) -> tuple[str, datetime]:
    made = _github(registrar, "POST", "/registration-token")
    return str(made["token"]), datetime.fromisoformat(made["expires_at"])


def _github(registrar: Registrar, method: str, path: str, **options: Any) -> Any:
    path = f"/repos/{registrar.repository}/actions/runners{path}"
    what = f"GitHub, about the runners of {registrar.repository},"
    return asked(registrar.github, method, path, what=what, permission=PERMISSION, **options).json()


def _keep(registrar: Registrar, runner: MachinePart, value: str, expires: datetime | None = None) -> None:
    name = registration_secret(runner.name)
    with asking(f"secret {name} of vault {registrar.vault.name}"):
        write_secret(registrar.clouds, registrar.vault, name, value, expires)


def write_secret(clouds: Clouds, vault: VaultPart, name: str, value: str, expires: datetime | None = None) -> None:
    """Makes a new version of a secret, which keeps the tags and the type that the program gave it."""
    from azure.mgmt.keyvault.models import SecretAttributes, SecretCreateOrUpdateParameters, SecretProperties

    secrets, place = clouds.vaults.secrets, (vault.resource_group, vault.name, name)
    known = secrets.get(*place)
    properties = SecretProperties(
        value=value,
        content_type=known.properties.content_type,
        attributes=SecretAttributes(enabled=True, expires=expires),
    )
    secrets.create_or_update(*place, SecretCreateOrUpdateParameters(properties=properties, tags=known.tags))
