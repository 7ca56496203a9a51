"""What the published models say of values and moto does not ask: which are allowed, and how long they may be."""

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from virtci.rehearsal.journal import CloudError

CODES = {"ec2": "InvalidParameterValue", "iam": "ValidationError", "sts": "ValidationError"}
"""How each service calls a value that it does not take; the others say ValidationException."""


def judge(service: str, shape: Shape | None, parameters: Any) -> None:
    """Raises `CloudError` for the first value that the model does not allow."""
    for fault in faults(shape, parameters, "") if shape else ():
        raise CloudError(400, CODES.get(service, "ValidationException"), fault)


def faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What is wrong with a value, at which path."""
    if isinstance(shape, StructureShape):
        for name in shape.members.keys() & value.keys():
            yield from faults(shape.members[name], value[name], f"{path}.{name}" if path else name)
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from faults(shape.value, item, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"Value ({value}) for parameter {path} is invalid. It is one of {', '.join(sorted(shape.enum))}."
    else:
        yield from _sizes(shape, value, path)


def _sizes(shape: Shape, value: Any, path: str) -> Iterator[str]:
    size = len(value) if isinstance(value, str | bytes) else value
    least, most = (shape.metadata.get(name) for name in ("min", "max"))
    if isinstance(size, int | float) and ((least is not None and size < least) or (most is not None and size > most)):
        yield f"Value for parameter {path} is invalid: {size} is not from {least} to {most}."
