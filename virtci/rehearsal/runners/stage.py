"""Simulated time for many launchers at once: each is a greenlet, one runs at a time, and time jumps to the next who wakes.

The same seed gives the same week, to the last call. A launcher that is killed does nothing more: its `finally` blocks
run, as Python must, but every call that they make ends at once, as if the process were gone.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from virtci.rehearsal.clock import START

Found = TypeVar("Found")


class Killed(BaseException):
    """What a process meets that is no more."""


@dataclass(eq=False)
class Process:
    """One process on the stage, and what became of it."""

    name: str
    work: Callable[[], Any]
    dead: bool = False
    ended: bool = False
    result: Any = None
    error: BaseException | None = None
    waiters: list["Process"] = field(default_factory=list)
    calls: int = 0
    """Those of what it started included."""
    kill_at: int = 0
    """The call at which it is killed with all that it started; 0: never."""
    children: list["Process"] = field(default_factory=list)
    parent: "Process | None" = None
    _greenlet: greenlet | None = None


class Stage:
    """The clock, and who wakes when."""

    def __init__(self) -> None:
        self._now = START
        self._order = count()
        self._wakes: list[tuple[datetime, int, Process]] = []
        self._hub = getcurrent()
        self._processes: dict[greenlet, Process] = {}
        self.errors: list[Process] = []
        """Whoever ended with an error; a death is none."""

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return self._now

    @property
    def current(self) -> Process | None:
        """The process that runs; nothing outside of all."""
        return self._processes.get(getcurrent())

    def spawn(self, name: str, work: Callable[[], Any], delay: timedelta = timedelta(), kill_at: int = 0) -> Process:
        """Lets something begin after a while."""
        process = Process(name, work, kill_at=kill_at)
        process._greenlet = greenlet(lambda: self._live(process), self._hub)
        self._processes[process._greenlet] = process
        self._wake(process, self._now + delay)
        return process

    def sleep(self, seconds: float) -> None:
        """Lets time pass for the process that asks."""
        self.check()
        process = self.current
        if process is None:
            raise RuntimeError("only a process can sleep")
        self._wake(process, self._now + timedelta(seconds=seconds))
        self._hub.switch()
        self.check()

    def call(self, seconds: float) -> None:
        """A call to a service: it takes time, and may be the one at which its process is killed."""
        process = self.current
        if process is None:
            return
        self.check()
        first = process
        while first.parent:
            first = first.parent
        first.calls += 1
        if first.calls == first.kill_at:
            self.kill(first)
        self.sleep(seconds)

    def check(self) -> None:
        """Ends who is dead."""
        if (process := self.current) and process.dead:
            raise Killed(process.name)

    def kill(self, process: Process) -> None:
        """Kills a process and those that it started; it ends at its next call."""
        process.dead = True
        for child in process.children:
            self.kill(child)

    def wait_for(self, process: Process) -> None:
        """Waits until a process has ended."""
        me = self.current
        if me is None:
            raise RuntimeError("only a process can wait")
        while not process.ended:
            process.waiters.append(me)
            self._hub.switch()
            self.check()

    def together(self, *tasks: Callable[[], Found]) -> list[Found]:
        """Runs several things at once, as `Together` says."""
        me = self.current
        children = [self.spawn(f"{me.name if me else ''}/{number}", task) for number, task in enumerate(tasks)]
        if me:
            me.children += children
            for child in children:
                child.parent = me
        for child in children:
            self.wait_for(child)
        for child in children:
            if child.error:
                raise child.error
        return [child.result for child in children]

    def run(self, until: datetime) -> None:
        """Lets everything happen up to a moment."""
        while self._wakes and self._wakes[0][0] <= until:
            moment, _, process = heapq.heappop(self._wakes)
            self._now = max(self._now, moment)
            if process._greenlet is not None and not process._greenlet.dead:
                process._greenlet.switch()
        self._now = max(self._now, until)

    def _wake(self, process: Process, moment: datetime) -> None:
        heapq.heappush(self._wakes, (moment, next(self._order), process))

    def _live(self, process: Process) -> None:
        try:
            process.result = process.work()
        except Killed as error:
            process.dead, process.error = True, error
        except Exception as error:
            process.error = error
            self.errors.append(process)
        process.ended = True
        if process._greenlet is not None:
            del self._processes[process._greenlet]
        for waiter in process.waiters:
            self._wake(waiter, self._now)
