"""The outputs of several stacks as one fleet: an environment with its compute, its vault and its region."""

from collections.abc import Iterable
from dataclasses import dataclass

from virtci.core.environments import Environment
from virtci.core.problems import Refusal, nearest
from virtci.outputs.contract import ClusterPart, EnvironmentPart, KubeVirtPart, MachinePart, Outputs, VaultPart


@dataclass(frozen=True, slots=True)
class Target:
    """One environment, and everything that a command needs to act on it."""

    environment: Environment
    stack: str
    region: str
    part: EnvironmentPart
    compute: MachinePart | ClusterPart
    vault: str
    kubevirt: KubeVirtPart | None = None
    """What the stack of its cluster's contents says, where its outputs were read as well."""

    @property
    def kind(self) -> str:
        """What it runs on, in words."""
        return "machine" if isinstance(self.compute, MachinePart) else "cluster"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The stacks whose outputs were read. Built by `fleet_of`."""

    stacks: tuple[Outputs, ...]
    vault: VaultPart
    targets: tuple[Target, ...]

    @property
    def subscription(self) -> str:
        """The subscription that everything is in."""
        return self.vault.resource_id.split("/")[2]

    @property
    def repository(self) -> str:
        """The repository, `OWNER/NAME`, whose jobs use the environments. Raises `Refusal` unless they name one."""
        found = {target.part.repository for target in self.targets}
        if len(found) != 1:
            raise Refusal(
                "the environments are used by one repository",
                f"these outputs name {', '.join(sorted(found)) or 'none'}",
                "name it: --repository OWNER/NAME",
            )
        return found.pop()

    def target(self, name: str) -> Target:
        """One environment. Raises `Refusal` for a name that no stack declares."""
        found = {target.environment.value: target for target in self.targets}
        if name not in found:
            raise Refusal(
                f"`{name}` is an environment of these stacks: {', '.join(item.stack for item in self.stacks)}",
                "there is nothing to act on",
                nearest(name, found) if found else "read the outputs of a stack that declares environments",
            )
        return found[name]


def fleet_of(stacks: Iterable[Outputs]) -> Fleet:
    """The fleet of these outputs. Raises `Refusal` when the hub's are not among them, or parts do not fit together."""
    found = tuple(stacks)
    vault = next((stack.vault for stack in found if stack.vault), None)
    if vault is None:
        raise Refusal(
            f"the outputs of the hub are read as well; these are: {', '.join(item.stack for item in found) or 'none'}",
            "the vault with the kubeconfigs is not known",
            "add the file of the stack `hub`",
        )
    contents = {stack.kubevirt.environment: stack.kubevirt for stack in found if stack.kubevirt}
    targets = [
        Target(name, stack.stack, stack.region, part, _compute(stack, name), vault.name, contents.get(name))
        for stack in found
        for name, part in stack.environments.items()
    ]
    return Fleet(found, vault, tuple(targets))


def _compute(stack: Outputs, environment: Environment) -> MachinePart | ClusterPart:
    parts: list[MachinePart | ClusterPart] = [*stack.machines, *stack.clusters]
    for item in parts:
        if item.environment is environment:
            return item
    raise Refusal(
        f"stack `{stack.stack}` lists the machine or cluster of `{environment}`",
        "there is nothing to act on",
        f"read the outputs of the deployed stack again: virtci outputs --stack {stack.stack}",
    )
