"""Writes `docs/policies.md` from the policy pack: `python -m tools.docs.policies [--check]`."""

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pulumi_policy import StackValidationPolicy

from policies.registry import policies
from tools.docs.components import ROOT, publish

PAGE = ROOT / "docs" / "policies.md"
PACK = ROOT / "policies" / "__main__.py"
DISPOSITIONS = ROOT / "policies" / "dispositions.json"
COMMAND = "python -m tools.docs.policies"
ORDER = ("enforced", "accepted", "not-applicable")
HEAD = f"""# Policies

The policy pack `policies/` judges previews and updates. Pack and configuration are the same for a reviewer, in the
deploy workflow and in a rehearsal, which runs them in both of its previews: before the deployment, and after it, when
every value is known.

```sh
pulumi preview --stack dev --policy-pack policies --policy-pack-config policies/config/dev.json
```

- A mandatory violation fails the preview (exit code 1). Preview first: in an update, rules on a whole stack speak only
  after its resources are made.
- Rules fail closed. A value that decides a rule and is not known before the deployment is a violation. Only what the
  platform hands out (ids, keys) may be unknown in a first preview; it is judged in the update.
- A limit without a default has to be configured in `policies/config/<stack>.json`; a rule without its limit fails.
- Every violation reads `resource: what is there; rule: what must be; fix: what to do`.

This page is made from the pack by `{COMMAND}`; change the rules, not the page.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy as the page shows it."""

    name: str
    scope: str
    level: str
    severity: str
    description: str
    protects: str
    schema: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]

    @property
    def file(self) -> str:
        """The module with the rule."""
        return f"{_module(self.name)}.py"


def rules() -> list[Rule]:
    """All policies of the pack, by name."""
    usual = pack_level()
    return [_rule(policy, usual) for policy in policies()]


def pack_level() -> str:
    """The level of policies that name none, read from the pack's entry point: importing it would start the pack."""
    calls = [node for node in ast.walk(ast.parse(PACK.read_text())) if isinstance(node, ast.Call)]
    levels = [item.value for call in calls for item in call.keywords if item.arg == "enforcement_level"]
    return ast.unparse(levels[0]).rsplit(".", 1)[-1].lower()


def dispositions() -> dict[str, dict[str, str]]:
    """What became of every published rule for the resource types of a fleet."""
    found: dict[str, dict[str, str]] = json.loads(DISPOSITIONS.read_text()) if DISPOSITIONS.exists() else {}
    return found


def render() -> str:
    """The page."""
    found, decided = rules(), dispositions()
    overview = [
        f"| [`{item.name}`](#{item.name}) | {item.level} | {item.severity} | {_cell(item.description)} |"
        for item in found
    ]
    lines = [
        HEAD,
        "| Policy | Level | Severity | What holds |\n|---|---|---|---|",
        *overview,
        *(line for item in found for line in _section(item, covered(item.name, decided))),
        *_decisions(decided),
    ]
    return "\n".join(lines) + "\n"


def covered(policy: str, decided: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The published rules that a policy enforces."""
    return sorted(rule for rule, item in decided.items() if item["disposition"] == "enforced" and item["by"] == policy)


def _rule(policy: Any, usual: str) -> Rule:
    schema = policy.config_schema
    return Rule(
        name=policy.name,
        scope="the whole stack" if isinstance(policy, StackValidationPolicy) else "each resource",
        level=policy.enforcement_level.value if policy.enforcement_level else usual,
        severity=policy.severity.value,
        description=policy.description,
        protects=inspect.getdoc(import_module(f"policies.{_module(policy.name)}").faults) or "",
        schema=schema.properties if schema else {},
        required=frozenset((schema.required if schema else None) or ()),
    )


def _module(policy: str) -> str:
    return policy.replace("-", "_")


def _section(rule: Rule, covers: list[str]) -> Iterator[str]:
    yield f"\n## {rule.name}\n\n{rule.description}\n\n{' '.join(rule.protects.split())}\n"
    yield f"- judges {rule.scope}; {rule.level}; severity {rule.severity}"
    yield f"- source: [`policies/{rule.file}`](../policies/{rule.file})"
    if covers:
        yield f"- covers {', '.join(f'`{item}`' for item in covers)}"
    if rule.schema:
        yield "\n| Setting | Type | Default |\n|---|---|---|"
    for name, schema in rule.schema.items():
        default = "must be configured" if name in rule.required else f"`{json.dumps(schema.get('default'))}`"
        yield f"| `{name}` | {_type(schema)} | {_cell(default)} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "items" in schema:
        return f"list of {schema['items']['type']}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        needed = f" (at least {', '.join(schema['required'])})" if schema.get("required") else ""
        return f"map of {_type(schema['additionalProperties'])}{needed}"
    return str(schema["type"])


def _decisions(decided: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if not decided:
        return
    counts = {kind: sum(item["disposition"] == kind for item in decided.values()) for kind in ORDER}
    yield "\n## Published rules and what became of them\n"
    yield "Every rule of PSRule for Azure and checkov on the resource types of a fleet has a decision in"
    yield "[`policies/dispositions.json`](../policies/dispositions.json): "
    yield ", ".join(f"{count} {kind}" for kind, count in counts.items()) + ". An acceptance ends on its date.\n"
    yield "| Rule | Decision | By or because |\n|---|---|---|"
    for rule, item in sorted(decided.items(), key=lambda entry: (ORDER.index(entry[1]["disposition"]), entry[0])):
        yield f"| `{rule}` | {_decision(item)} | {_cell(_reason(item))} |"


def _decision(item: Mapping[str, str]) -> str:
    until = f" until {item['until']}" if "until" in item else ""
    return f"{item['disposition']}{until}"


def _reason(item: Mapping[str, str]) -> str:
    return f"[`{item['by']}`](#{item['by']})" if "by" in item else item["because"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(publish(PAGE, render(), COMMAND, sys.argv[1:]))
