"""What an environment reads from the stack of the hub."""

from dataclasses import dataclass

import pulumi

from virtci.core.environments import Environment


@dataclass(frozen=True, slots=True)
class HubReference:
    """The hub's outputs that environments need."""

    subnet_ids: pulumi.Output[dict[str, str]]
    address_space: pulumi.Output[str]
    subnet_ranges: pulumi.Output[dict[str, str]]
    vault_name: pulumi.Output[str]
    vault_resource_group: pulumi.Output[str]
    vault_uri: pulumi.Output[str]
    workspace_id: pulumi.Output[str]
    publisher_role_id: pulumi.Output[str]
    operator_role_id: pulumi.Output[str]
    tagger_role_id: pulumi.Output[str]
    preview_principal_id: pulumi.Output[str]

    def subnet_id(self, environment: Environment) -> pulumi.Output[str]:
        """The subnet of an environment. Fails, naming the fix, where the hub's plan has none."""
        return self.subnet_ids.apply(lambda found: required_subnet(found, environment))


def required_subnet(found: dict[str, str], environment: Environment) -> str:
    """The subnet of an environment among the hub's."""
    if environment not in found:
        message = (
            f"the hub has no subnet `{environment}`; add hub.network.subnets.{environment} to the hub's stack file"
        )
        raise ValueError(message)
    return found[environment]


def read_hub(stack: str) -> HubReference:
    """Reads the hub's outputs by StackReference; a hub that was never deployed fails here."""
    reference = pulumi.StackReference("hub", stack_name=stack)
    network, vault = reference.require_output("network"), reference.require_output("vault")
    roles = reference.require_output("roles")
    return HubReference(
        subnet_ids=network["subnetResourceIds"],
        address_space=network["addressSpace"],
        subnet_ranges=network["subnetRanges"],
        vault_name=vault["name"],
        vault_resource_group=vault["resourceGroup"],
        vault_uri=vault["uri"],
        workspace_id=reference.require_output("workspaceId"),
        publisher_role_id=roles["kubeconfigPublisher"],
        operator_role_id=roles["powerOperator"],
        tagger_role_id=roles["bootTagger"],
        preview_principal_id=reference.require_output("identities")["preview"]["principalId"],
    )
