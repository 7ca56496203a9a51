"""How preview time grows with the fleet. The simulated clouds run in this process: their work counts as well."""

from tools.bench.figures import Figure, exponent, figure, itself
from tools.bench.lab import Lab

TARGET_EXPONENT = 1.1
LONG_REPEATS = 2


def measure(lab: Lab) -> list[Figure]:
    """Previews of a small and a large number of machines, and the exponent between them."""
    small, large = (20, 200) if lab.quick else (100, 1000)
    names = ("machines-0", f"machines-{small}", f"machines-{large}")
    found = lab.in_turn({name: lab.program(name) for name in names}, LONG_REPEATS)
    none, few, many = (found[name] for name in names)
    smaller = figure(("d", f"preview of {small} machines", "s"), itself, few)
    larger = ("d", f"preview of {large} machines ({lab.steps[names[-1]]} resources)", "s")
    clouds = lab.processor[names[-1]]
    growing = ("d", f"exponent of growth, {small} to {large} machines", "")
    return [
        smaller,
        figure(larger, itself, many, against=(smaller, f"{small} machines")),
        figure(("d", "… of it processor time of the simulated clouds", "s"), itself, clouds),
        figure(growing, exponent(small, large), none, few, many, target=TARGET_EXPONENT),
    ]
