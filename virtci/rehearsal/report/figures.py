"""The figures of a stack that the page and the terminal both show."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from virtci.core.prices import Cost, total
from virtci.core.quota import REGIONAL, QuotaLine
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.endings import Ending

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict of a policy, once, with the steps in which it was given."""

    level: str
    policy: str
    urn: str
    message: str
    steps: tuple[str, ...]

    @property
    def resource(self) -> str:
        """The name of the resource; empty for a verdict on the whole stack."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True, slots=True)
class CostLine:
    """What a lifetime class costs in a month, in USD."""

    name: str
    expected: float
    ceiling: float


def ending_of(result: StackResult) -> tuple[bool, str]:
    """Whether the stack ended well, and in words how; leavings spoil an end that was good."""
    ending = Ending.LEFT_BEHIND if result.ending is Ending.GOOD and result.left_behind else result.ending
    return ending is Ending.GOOD, ending.name.lower().replace("_", " ")


def findings(result: StackResult) -> list[Finding]:
    """Every verdict once, mandatory ones first; two previews that say the same say it once."""
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for step, run in result.runs.items():
        for item in run.verdicts:
            found[item.level, item.policy, item.urn, item.message].append(step)
    return [Finding(*key, tuple(dict.fromkeys(steps))) for key, steps in sorted(found.items(), key=_severity)]


def _severity(item: tuple[tuple[str, str, str, str], list[str]]) -> tuple[bool, tuple[str, str, str, str]]:
    return item[0][0] != "mandatory", item[0]


def cost_lines(result: StackResult) -> list[CostLine]:
    """The cost of each lifetime class, and the total as the last line."""
    classes: dict[str, list[Cost]] = defaultdict(list)
    for cost in result.bill.costs:
        classes[cost.lifetime.value].append(cost)
    return [_line(name, costs) for name, costs in sorted(classes.items())] + [_line("total", list(result.bill.costs))]


def _line(name: str, costs: list[Cost]) -> CostLine:
    ceiling, expected = total(costs)
    return CostLine(name, expected, ceiling)


def kinds(result: StackResult) -> Counter[str]:
    """How many cloud resources of which type there are; what only the engine knows is no resource of a cloud."""
    everything = (item["type"] for item in result.resources if item.get("custom"))
    return Counter(kind for kind in everything if not kind.startswith("pulumi:"))


def vcpus(result: StackResult) -> int:
    """The vCPU that can run at once, over all regions."""
    return sum(line.needed for line in result.quota if line.family == REGIONAL)


def share(line: QuotaLine) -> str:
    """How a limit stands, in words."""
    if line.limit is None:
        return "no share declared"
    if line.exceeded:
        return f"{line.missing} vCPU missing"
    free = line.limit - line.needed - line.reserve
    return f"fits, {free} free" if free else "fits exactly"


def family_name(line: QuotaLine) -> str:
    """The family, or what the platform calls `cores`."""
    return "regional total" if line.family == REGIONAL else line.family


def changed(operations: Mapping[str, str]) -> str:
    """What a step changed, in words: `create 55, update 1`."""
    counts = Counter(operations.values())
    return ", ".join(f"{operation} {number}" for operation, number in sorted(counts.items())) or "no change"


def point_of(message: str) -> str:
    """What a message says: of a Python traceback the last line, otherwise all of it."""
    whole = message.strip()
    return whole.splitlines()[-1] if TRACEBACK in whole else whole


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
