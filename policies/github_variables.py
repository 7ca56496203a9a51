"""GitHub environments: the test pipeline finds what it needs."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.kinds import GITHUB_ENVIRONMENT, GITHUB_VARIABLE
from virtci.core.environments import Environment


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects from a test run that filters nothing, or fails on the syntax of an empty filter."""
    for environment in fleet.of(GITHUB_ENVIRONMENT):
        if at(environment.properties, "environment") not in tuple(Environment):
            continue
        variables = fleet.users(environment, "environment", GITHUB_VARIABLE)
        values = {at(item.properties, "variableName"): at(item.properties, "value") for item in variables}
        for name in settings["required"]:
            value = values.get(name)
            if not (isinstance(value, str) and value.strip()):
                fix = "declare it with the environment's other variables"
                yield Fault(
                    f"variable {name} is {shown(value)}", "every test environment has it, not empty", fix, environment
                )


POLICY = stack_policy(
    "github-variables",
    "Every test environment has the variables of the test pipeline.",
    faults,
    Severity.MEDIUM,
    settings={
        "required": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["TEST_FOCUS", "EMULATION", "HYPERVISOR", "TESTS_ENABLED"],
        }
    },
)
