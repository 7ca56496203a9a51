"""What one more resource costs: network interfaces, which carry many aliases, and the resources of the real stacks."""

from tools.bench.figures import Figure, figure, marginal_ms
from tools.bench.lab import STACKS, Lab

TARGET_MS = 5.0
FEW, MANY = 20, 120


def measure(lab: Lab) -> list[Figure]:
    """Slopes of three ways to register an interface, and the committed stacks by the resource."""
    names = [f"interfaces-{variant}-{count}" for variant in ("dropped", "aliased", "untyped") for count in (FEW, MANY)]
    stacks = {stack: lab.stack(stack, policies=False) for stack in STACKS}
    found = lab.in_turn({name: lab.program(name) for name in [*names, "empty"]} | stacks)

    def slope(variant: str, words: str, target: float | None = None, against: Figure | None = None) -> Figure:
        few, many = (found[f"interfaces-{variant}-{count}"] for count in (FEW, MANY))
        line = ("b", f"one more interface, {words}", "ms")
        other = (against, against.name.split(", ")[1]) if against else None
        return figure(line, marginal_ms(FEW, MANY), few, many, target=target, against=other)

    untyped = slope("untyped", "untyped")
    dropped = slope("dropped", "typed without version aliases", TARGET_MS, untyped)
    aliased = slope("aliased", "typed as the SDK has it", None, dropped)
    mix = []
    for stack in STACKS:
        count = lab.steps[stack] - lab.steps["empty"]
        line = ("b", f"one of the {count} resources of `{stack}`, without policies", "ms")
        mix.append(
            figure(
                line,
                marginal_ms(0, count),
                found["empty"],
                found[stack],
                target=TARGET_MS,
                against=(dropped, "an interface"),
            )
        )
    return [dropped, aliased, untyped, *mix]
