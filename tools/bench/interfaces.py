"""What one more resource costs: network interfaces, which carry many aliases, and the resources of the real stacks."""

from tools.bench.figures import Figure, figure, marginal_ms
from tools.bench.lab import STACKS, Lab

TARGET_MS = 5.0
FEW, MANY = 20, 120
FEW_MACHINES, MANY_MACHINES = 10, 60


def measure(lab: Lab) -> list[Figure]:
    """Slopes of three ways to register an interface, and the committed stacks by the resource."""
    names = [f"interfaces-{variant}-{count}" for variant in ("dropped", "aliased", "untyped") for count in (FEW, MANY)]
    stacks = {stack: lab.stack(stack, policies=False) for stack in STACKS}
    mixed = [f"machines-{count}" for count in (FEW_MACHINES, MANY_MACHINES)]
    found = lab.in_turn({name: lab.program(name) for name in [*names, *mixed, "empty"]} | stacks)

    def slope(variant: str, words: str, target: float | None = None, against: Figure | None = None) -> Figure:
        few, many = (found[f"interfaces-{variant}-{count}"] for count in (FEW, MANY))
        line = ("b", f"one more interface, {words}", "ms")
        other = (against, against.name.split(", ")[1]) if against else None
        return figure(line, marginal_ms(FEW, MANY), few, many, target=target, against=other)

    untyped = slope("untyped", "untyped")
    dropped = slope("dropped", "typed without version aliases", TARGET_MS, untyped)
    aliased = slope("aliased", "typed as the SDK has it", None, dropped)
    against = (dropped, "an interface")
    few, many = (lab.steps[name] for name in mixed)
    line = ("b", "one more resource of a machine: key, secret, interface, VM, schedule", "ms")
    samples = [found[name] for name in mixed]
    mix = [figure(line, marginal_ms(few, many), *samples, target=TARGET_MS, against=against)]
    for stack in STACKS:
        count = lab.steps[stack] - lab.steps["empty"]
        line = ("b", f"`{stack}` above the empty stack, by its {count} resources", "ms")
        mix.append(figure(line, marginal_ms(0, count), found["empty"], found[stack], against=against))
    return [dropped, aliased, untyped, *mix]
