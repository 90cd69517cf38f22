"""Peers that vanish without a word: their machine lost power, or the network between lost them."""

import asyncio
import contextlib

from .check import SLACK, Stopwatch, beside, check, together
from .namespace import cut
from .peer import expect

IDLE, FED = 200, 50


@check("half-open peers: found dead by keepalive, or by the write stall", namespace=True, listen="0.0.0.0:0", ping=3)
async def half_open(server):
    watch = Stopwatch()
    idle = await together(server.open("/echo") for _ in range(IDLE))
    fed = await together(server.open("/pour") for _ in range(FED))
    async with contextlib.AsyncExitStack() as reading:
        for peer in fed:
            await reading.enter_async_context(beside(peer.end()))
        await asyncio.sleep(0.5)
        opened = watch.read()
        expect(opened < 3, f"250 connections took {opened:.1f} s: too slow a machine for these deadlines")
        async with cut():
            # Ping, pong, and then the close deadline, for a Close that nobody will see.
            await server.until_connections(0, 3 + 1 + 1 + SLACK, "dropped")
            took = watch.read() - opened
            told = [peer for peer in idle if peer.drain() != (b"", False)]
            expect(not told, f"{len(told)} peers have heard of their end: the network was not cut")
    stats = await server.stats()
    dead, stalled = stats.ended("keepalive ping timeout"), stats.ended("the peer stopped reading")
    expect(dead >= IDLE and dead + stalled == IDLE + FED, f"endings: {stats.endings}")
    return f"{dead} by keepalive, {stalled} by the write stall, all {took:.1f} s after the cut"
