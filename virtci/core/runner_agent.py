"""GitHub's runner agent: the least version that GitHub lets register.

Source: GitHub's changelog and the runner's releases, August 2026: registration needs 2.329.0 or newer, and an agent that
runs must be updated within 30 days of a newer release (github.com enforces both since 2026-09-25). The second rule is
why the agents of this fleet update themselves: a release that is pinned here only has to be good enough to register.
"""

from virtci.core.problems import Refusal

MINIMUM = (2, 329, 0)


def require_agent(version: str) -> None:
    """Raises `Refusal` when GitHub would not register an agent of that version."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or tuple(map(int, parts)) < MINIMUM:
        raise Refusal(
            f"an agent of version {'.'.join(map(str, MINIMUM))} or newer; it is {version!r}",
            "GitHub refuses its registration and the runner never comes online",
            "choose a current release of actions/runner",
        )
