"""The outputs of the fleet as a variable of the repository whose pipeline reads them.

Sources: GitHub docs, "Variables reference", limits (read 2026-11), and its REST API for repository variables
(@octokit/openapi 23.0.2, 2026-09-09).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtci.core.credentials import credentials_in
from virtci.core.placeholders import is_placeholder
from virtci.core.problems import Problem, ProblemsError, Refusal
from virtci.core.sealed import SECRET
from virtci.fleet.differences import Difference, differences
from virtci.fleet.github_answers import asked
from virtci.fleet.markdown import code, table
from virtci.outputs.contract import VARIABLE, Outputs

if TYPE_CHECKING:
    import httpx

LARGEST = 48 * 1024
"""Bytes of a variable. Every reader of the repository sees it, and logs show it."""
ABSENT, CONFLICT = 404, 409
MOST_SHOWN = 50
PERMISSION = "Variables: write"
"""What the GitHub App of GITHUB_TOKEN has to have."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of the variable, and how it differs from what it held before."""

    ending: str
    changes: tuple[Difference, ...] = ()


def variable_text(stacks: Iterable[Outputs]) -> str:
    """The value of the variable, the same for any order of the stacks.

    Raises `ProblemsError` for outputs of a rehearsal, for credentials, and for more than a variable holds.
    """
    contents = {stack.stack: stack.model_dump(mode="json", by_alias=True, exclude_none=True) for stack in stacks}
    problems = [problem for name, content in contents.items() for problem in _unfit(name, content)]
    text = json.dumps([contents[name] for name in sorted(contents)], separators=(",", ":"), ensure_ascii=False)
    if (size := len(text.encode())) > LARGEST:
        problems.append(
            Problem(
                VARIABLE, f"{size:,} bytes", f"a variable holds at most {LARGEST:,} bytes",
                "GitHub would refuse it, and the pipeline would go on with the outputs of before",
                "take out of the contract what no pipeline reads, or publish less stacks",
            )
        )  # fmt: skip
    if problems:
        raise ProblemsError("outputs to publish", problems)
    return text


def publish(github: "httpx.Client", repository: str, text: str) -> Published:
    """Makes the variable say `text`; one that says so already is left alone.

    Raises `Refusal` where GitHub does not let it.
    """
    path = f"/repos/{repository}/actions/variables"
    found = _ask(github, "GET", f"{path}/{VARIABLE}", (ABSENT,))
    known = None if found.status_code == ABSENT else str(found.json()["value"])
    if known == text:
        return Published("unchanged")
    _write(github, path, {"name": VARIABLE, "value": text}, exists=known is not None)
    return Published("created" if known is None else "changed", tuple(_changes(known, text)))


def published_text(done: Published, repository: str) -> str:
    """What was published, as Markdown."""
    lines = [f"### {VARIABLE} of {code(repository)}: {done.ending}"]
    if done.changes:
        rows = [(code(item.path), code(item.before), code(item.after)) for item in done.changes[:MOST_SHOWN]]
        lines.append(table(("property", "before", "now"), rows))
    if len(done.changes) > MOST_SHOWN:
        lines.append(f"and {len(done.changes) - MOST_SHOWN} more")
    return "\n\n".join(lines)


def _write(github: "httpx.Client", path: str, body: Mapping[str, str], *, exists: bool) -> None:
    """Changes or creates the variable; somebody may have deleted or created it since it was read."""
    update, create = ("PATCH", f"{path}/{VARIABLE}", (ABSENT,)), ("POST", path, (CONFLICT,))
    for method, place, tolerated in (update, create) if exists else (create, update):
        if _ask(github, method, place, tolerated, json=dict(body)).is_success:
            return
    raise Refusal(
        f"{VARIABLE} stays there, or stays away, while it is written",
        "nobody knows what it holds now: somebody else writes it at the same time",
        "run this again",
    )


def _ask(
    github: "httpx.Client", method: str, path: str, tolerated: tuple[int, ...], **options: Any
) -> "httpx.Response":
    what = f"GitHub, {method} {path},"
    return asked(github, method, path, what=what, permission=PERMISSION, tolerated=tolerated, **options)


def _unfit(stack: str, content: Mapping[str, Any]) -> Iterator[Problem]:
    """What must not get into a variable; of the many placeholders of a rehearsal, one is enough."""
    texts = list(_texts(stack, content))
    # A sentence may speak of a rehearsal.
    placeholders = [(path, value) for path, value in texts if is_placeholder(value) and " " not in value]
    if placeholders:
        path, value = placeholders[0]
        yield Problem(
            path, value, f"the outputs are those of a deployment; {len(placeholders)} values of {stack} are placeholders",
            "the pipeline would look for machines that are nowhere",
            f"deploy the stack and read its outputs again: virtci outputs --stack {stack}",
        )  # fmt: skip
    for path, value in texts:
        for kind in sorted({*credentials_in(value), *(["a secret value"] if SECRET in value else [])}):
            yield Problem(
                path, SECRET, f"outputs hold no secrets; here is {kind}",
                "everybody who reads the repository, or a log, could use it",
                "take it out of the program's outputs, and replace the credential if it is one",
            )  # fmt: skip


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{path}[{index}]", item)


def _changes(known: str | None, text: str) -> list[Difference]:
    before, after = _by_stack(known), _by_stack(text)
    names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    return differences(before, after, names)


def _by_stack(text: str | None) -> dict[str, Any]:
    """The stacks in a value; none where a person wrote something else."""
    try:
        return {str(stack["stack"]): stack for stack in json.loads(text or "[]")}
    except (ValueError, TypeError, KeyError):
        return {}
