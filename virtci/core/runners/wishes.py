"""What a workflow writes about the machines that it wants, as values."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from virtci.core.problems import Refusal, nearest
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Request

Word = TypeVar("Word", bound=StrEnum)


def clouds_of(text: str) -> tuple[Cloud, ...]:
    """The clouds in `azure,ec2`, each once, in that order. Raises `Refusal` for none and for another word."""
    found = dict.fromkeys(_word(Cloud, word, "a cloud") for word in _words(text))
    if not found:
        raise Refusal("at least one cloud is named", "no machine is started", f"name one of: {', '.join(Cloud)}")
    return tuple(found)


def capabilities_of(texts: Iterable[str], clouds: Iterable[Cloud]) -> dict[Cloud, Capability]:
    """What the jobs on each cloud need, from `azure=kvm-nested,ec2=none`; what is not named needs nothing.

    Raises `Refusal` for another form, and for a cloud that is not among those of the run.
    """
    found = dict.fromkeys(clouds, Capability.NONE)
    for item in (word for text in texts for word in _words(text)):
        name, sign, value = item.partition("=")
        if not sign:
            raise Refusal(
                f"a capability is written CLOUD=CAPABILITY, not `{item}`",
                "nobody knows what the jobs need",
                "for example azure=kvm-nested",
            )
        cloud = _word(Cloud, name, "a cloud")
        if cloud not in found:
            raise Refusal(
                f"a capability is for a cloud of this run; `{cloud}` is none",
                "no machine has it, and its jobs would wait for ever",
                f"add {cloud} to the clouds, or take `{item}` out",
            )
        found[cloud] = _word(Capability, value, "a capability")
    return found


def wishes(
    run: Run, capabilities: Mapping[Cloud, Capability], serves: Serves, *, overflow: bool, spot: bool
) -> tuple[Request, ...]:
    """One machine for each cloud."""
    return tuple(
        Request(name=RunnerName(run=run, cloud=cloud), capability=needed, serves=serves, overflow=overflow, spot=spot)
        for cloud, needed in capabilities.items()
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _word(kind: type[Word], word: str, what: str) -> Word:
    if word not in tuple(kind):
        raise Refusal(f"`{word}` is {what}", "no machine can be chosen", nearest(word, tuple(kind)))
    return kind(word)
