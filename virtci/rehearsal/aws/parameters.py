"""What Parameter Store enforces and moto does not: how large a value may be.

Source: AWS Systems Manager User Guide, "Managing parameter tiers".
"""

from typing import TYPE_CHECKING

from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked
from virtci.rehearsal.journal import CloudError

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

STANDARD, LARGEST = 4_096, 8_192


def put(aws: "Aws", asked: Asked) -> Asked:  # noqa: ARG001  a hook's arguments are fixed
    """`PutParameter`: the tier decides."""
    size, tier = len(asked.parameters["Value"].encode()), asked.parameters.get("Tier", "Standard")
    if size > (STANDARD if tier == "Standard" else LARGEST):
        text = f"{tier} tier parameters support a maximum parameter value of {STANDARD if tier == 'Standard' else LARGEST} characters."
        raise CloudError(400, "ValidationException", text)
    return asked


HOOKS = Hooks(before={"ssm:PutParameter": put})
