"""Programs that a rehearsal starts, and that never outlive it."""

import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

PAUSE = 0.05
"""Seconds between two looks at a program that is starting."""
SHOWN = 15
"""How many lines of a log an error shows."""

# When the pipe of its input closes, which also happens when the owner is killed, it ends everything in its group.
GUARD = ("sh", "-c", "cat >/dev/null; kill -KILL 0")

Options = dict[str, str | Path]
"""Flags without their dashes."""


class ProgramError(Exception):
    """A program ended, or did not become ready; the message has the end of its log."""


@dataclass
class Running:
    """A started program with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def end_of_log(self) -> str:
        """The last lines of the log, with its path."""
        lines = self.log.read_text(errors="replace").splitlines()[-SHOWN:]
        return f"The end of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """Ends the program at once; what it keeps is thrown away anyway."""
        self.process.kill()
        self.process.wait()


def wait_until(is_ready: Callable[[], bool], deadline: float, *programs: Running) -> None:
    """Waits for what programs do together, at most until `deadline` (of `time.monotonic`); else raises `ProgramError`."""
    while not is_ready():
        for program in programs:
            if program.has_ended():
                raise ProgramError(
                    f"{program.name} ended with code {program.process.returncode}.\n{program.end_of_log()}"
                )
        if time.monotonic() > deadline:
            names = " and ".join(program.name for program in programs)
            logs = "\n".join(program.end_of_log() for program in programs)
            raise ProgramError(f"{names}: not ready in time.\n{logs}")
        time.sleep(PAUSE)


@dataclass
class Household(AbstractContextManager["Household"]):
    """Starts programs in one process group; all of them end with it, also when this process is killed."""

    folder: Path
    environment: Mapping[str, str]
    _members: list[Running] = field(default_factory=list)

    def __enter__(self) -> "Household":
        self._guard = subprocess.Popen(GUARD, stdin=subprocess.PIPE, process_group=0)
        return self

    def start(self, name: str, program: Path, options: Options) -> Running:
        """Starts a program in the folder of the household; its log is `<name>.log` there and is continued."""
        command = [str(program), *(f"--{option}={value}" for option, value in options.items())]
        log = self.folder / f"{name}.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment,
                process_group=self._guard.pid,
            )
        running = Running(name, process, log)
        self._members.append(running)
        return running

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.process.kill()
        self._guard.communicate()
        for member in self._members:
            member.process.wait()
