"""Looking at runners: which records a person means, and why a job waits for one."""

from virtci.core.problems import Refusal, nearest
from virtci.core.runners import tickets
from virtci.core.runners.naming import LABEL, STACK, stack_of
from virtci.core.runners.requests import OVER, Phase, Record
from virtci.fleet.runners.embedded_leases import KEY
from virtci.fleet.runners.launcher import Launcher

USER = "kontain"
"""Who people log in as."""
STARTING = (Phase.REQUESTED, Phase.LEASED, Phase.CREATED, Phase.PROBED)


def meant(launcher: Launcher, word: str) -> list[Record]:
    """The records of a run's id or path, a label, a stack, or a name that people see; the latest last.

    Raises `Refusal` for a word that none has.
    """
    if LABEL.fullmatch(word):
        found = launcher.records_under(word)
    elif STACK.fullmatch(word):
        record = launcher.record(word)
        found = [record] if record else []
    elif run_id := _run_id(word):
        found = launcher.records_of_run(run_id)
    else:
        found = [record for record in launcher.records() if record.request.name.shown == word]
    if found:
        return found
    known = {record.request.name.shown for record in launcher.records()}
    raise Refusal(
        f"`{word}` is a run of these runners (its id, or owner/name/id/attempt), a label, a stack or a machine's name",
        "there is nothing to look at",
        nearest(word, known) if known else "virtci runners list: there is no machine now; the id of an ended run works",
    )


def one_meant(launcher: Launcher, word: str) -> Record:
    """The one machine that is meant and not over. Raises `Refusal` when there are several, or none."""
    found = [record for record in meant(launcher, word) if record.phase not in OVER]
    if len(found) == 1:
        return found[0]
    raise Refusal(
        f"`{word}` means one machine that is there",
        f"it has {', '.join(record.stack for record in found)}" if found else "all of it is gone",
        "name one of them" if found else "start one: a run's machines come back with its failed jobs, within a sweep",
    )


def ssh_command(launcher: Launcher, record: Record) -> list[str]:
    """The command that logs in to a machine. Raises `Refusal` for one that is off, and where nobody is let in."""
    machines = [item for cloud in launcher.clouds.values() for item in cloud.machines()]
    machine = next((item for item in machines if item.tags.stack == record.stack and item.holds_vcpus), None)
    if machine is None:
        raise Refusal(
            f"the machine of {record.stack} runs",
            f"nobody can log in to it; it is {record.phase}",
            f"if it was kept, bring it back: virtci runners revive {record.stack}",
        )
    return [*launcher.clouds[machine.cloud].login(machine, USER)]


def why_waiting(launcher: Launcher, label: str = "") -> list[tuple[str, str]]:
    """Each label that somebody waits for, and why; with a label, only that one.

    Raises `Refusal` for a label that is not ours.
    """
    if label:
        stack_of(label)
    starting = {record.request.name.label: record for record in launcher.records() if record.phase in STARTING}
    wanted = [item for item in launcher.github.wanted() if item not in starting]
    rows = [(item, _why_starting(launcher, record)) for item, record in starting.items()]
    rows += [(item, _why_wanted(launcher, item)) for item in wanted]
    if label and not any(item == label for item, _ in rows):
        rows.append((label, _why_wanted(launcher, label)))
    return [row for row in rows if label in ("", row[0])]


def _why_starting(launcher: Launcher, record: Record) -> str:
    parts = [
        f"{record.phase.value} since {record.at[record.phase]:%H:%M} UTC",
        record.why,
        _place(launcher, record.stack),
    ]
    tried = ", ".join(f"{item.code} at {item.rung}" for item in record.attempts)
    return "; ".join(part for part in (*parts, tried and f"tried: {tried}") if part)


def _place(launcher: Launcher, stack: str) -> str:
    """Its place in the queue; nothing where it waits for no units, or another store has the queue."""
    seen = launcher.objects.read(KEY)
    queue = tickets.from_document(seen.document).queue if seen else ()
    found = []
    for ticket in queue:
        if ticket.claim.holder == stack:
            same = [item for item in queue if item.claim.pool == ticket.claim.pool]
            found.append(f"number {same.index(ticket) + 1} in the queue of {ticket.claim.pool}")
    return ", ".join(found)


def _why_wanted(launcher: Launcher, label: str) -> str:
    """Why a job waits for a runner that is not being started."""
    record = next(reversed(launcher.records_under(label)), None)
    runner = launcher.github.runner(label)
    if runner and runner.online:
        return "its runner is online and has a job: one at a time" if runner.busy else "its runner is online and idle"
    if record is None:
        return "no start asked for it, or its records are of another stack"
    if record.phase in (*OVER, Phase.KEPT, Phase.REVIVED):
        return f"its machine is {record.phase.value} ({record.why}); the next sweep starts another one under this label"
    return f"its machine is {record.phase.value}, and its runner is not online: the next sweep looks at it"


def _run_id(word: str) -> int | None:
    """The id in `123` or `owner/name/123/1`."""
    parts = word.split("/")
    number = parts[2] if len(parts) == 4 else word
    return int(number) if number.isdecimal() else None
