"""What a check is, and what all of them use."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Callable

from .peer import Failure, expect

# Deadlines of the server in seconds, and how much later than its deadline something may be seen on a busy machine.
DEADLINES = {"handshake": 1, "ping": 60, "pong": 1, "close": 1, "progress": 1, "stall": 1}
SLACK = 3.0
# How much earlier: the peer's clock starts a little after the server's.
EARLY = 0.1

KIB, MIB = 1 << 10, 1 << 20

CHECKS = []


@dataclass
class Check:
    """An attack. `run` gets the server and returns what it measured, in words; it raises when something is wrong."""

    name: str
    run: Callable
    settings: dict
    # Whether it moves so much that others beside it would be late.
    alone: bool
    # Whether it runs in a network namespace of its own.
    namespace: bool


def check(name, *, alone=False, namespace=False, **settings):
    def add(run):
        CHECKS.append(Check(name, run, DEADLINES | settings, alone, namespace))
        return run

    return add


async def together(coroutines):
    """Runs all of them at once; their results. The first failure ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


@contextlib.asynccontextmanager
async def beside(coroutine):
    """Runs the coroutine while the block runs, and stops it then. How it ends is nobody's business."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def within(deadline, event, what):
    """Waits for what the server's deadline brings about; whatever is waited for ends soon after that."""
    try:
        async with asyncio.timeout(deadline + SLACK):
            return await event
    except TimeoutError:
        raise Failure(f"{what}: not within {deadline + SLACK:.0f} s, and its deadline is {deadline} s") from None


class Stopwatch:
    def __init__(self):
        self.start = time.monotonic()

    def read(self):
        return time.monotonic() - self.start

    def expect_deadline(self, deadline, what):
        """What happened now happened at the deadline: not before, and not much after."""
        took = self.read()
        expect(took >= deadline - EARLY, f"{what} after {took:.2f} s, before its deadline of {deadline} s")
        expect(took <= deadline + SLACK, f"{what} after {took:.2f} s, long after its deadline of {deadline} s")
        return took


def span(times):
    """From the shortest to the longest, in words."""
    return f"{min(times):.2f}–{max(times):.2f} s"


def size(n):
    return f"{n / MIB:.1f} MiB" if abs(n) >= MIB else f"{n / KIB:.1f} KiB"
