"""The simulated clock: operations that overlap in a cloud overlap here, and nothing waits for real."""

import threading
import time

from virtci.rehearsal.clock import SimulatedClock


def perform(clock: SimulatedClock, seconds: float, barrier: threading.Barrier) -> None:
    """An operation that starts together with others."""
    with clock.operation():
        barrier.wait()
        clock.wait(seconds)


def test_an_hour_passes_in_less_than_a_second() -> None:
    clock = SimulatedClock()
    began = time.monotonic()

    with clock.operation():
        clock.wait(3600)

    assert clock.seconds == 3600
    assert time.monotonic() - began < 1


def test_operations_that_start_together_take_as_long_as_the_longest() -> None:
    clock = SimulatedClock()
    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=perform, args=(clock, seconds, barrier)) for seconds in (60, 120, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.seconds == 120


def test_time_stands_still_while_somebody_works() -> None:
    clock = SimulatedClock()
    waiting = threading.Event()

    def waiter() -> None:
        with clock.operation():
            waiting.set()
            clock.wait(10)

    with clock.operation():
        thread = threading.Thread(target=waiter)
        thread.start()
        waiting.wait()
        thread.join(timeout=0.1)
        assert clock.seconds == 0
    thread.join()

    assert clock.seconds == 10
