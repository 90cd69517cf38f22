"""Attacks with more than is taken: floods from peers that do not read, against handlers that do not either."""

import asyncio

from .check import EARLY, KIB, SLACK, Stopwatch, beside, check, size, span, together, within
from .peer import BINARY, PING, PONG, expect, frame

# Small, so that a peer that does not read fills it at once.
RECEIVE_BUFFER = 8 * KIB
# The same for the server's side: a flood of pings that come in thousands is answered with a few, and would take long
# to fill the megabytes that the kernel allows.
SEND_BUFFER = 16 * KIB


async def pour(peer, data):
    while True:
        await peer.send(data)


async def flood(peers, data):
    """All of them send as fast as they can, until the server drops them; when that was."""
    watch = Stopwatch()

    async def one(peer):
        try:
            await pour(peer, data)
        except ConnectionError:
            return watch.read()

    times = await within(1, together(one(peer) for peer in peers), "dropped")
    expect(min(times) >= 1 - EARLY, f"dropped after {min(times):.2f} s, before the write-stall deadline of 1 s")
    return times


@check(
    "a ping flood from peers that do not read: dropped at the write-stall deadline",
    alone=True,
    progress=60,
    send_buffer=SEND_BUFFER,
)
async def ping_flood(server):
    before = await server.stats()
    peers = await together(server.open("/sink", RECEIVE_BUFFER) for _ in range(10))
    times = await flood(peers, frame(PING, bytes(125)) * 100)
    await server.until_connections(0, 1, "dropped")
    stats = await server.stats()
    peak = (stats.heap_peak - before.heap) / len(peers)
    expect(stats.ended("the peer stopped reading") == len(peers), f"endings: {stats.endings}")
    expect(peak < 64 * KIB, f"{size(peak)} of heap were held for each connection")
    return f"{len(peers)} peers, dropped after {span(times)}, {size(peak)} of heap each"


@check("a message flood to an echo from peers that do not read: dropped at the write-stall deadline", alone=True)
async def echo_flood(server):
    before = await server.stats()
    peers = await together(server.open("/echo", RECEIVE_BUFFER) for _ in range(30))
    times = await flood(peers, frame(BINARY, bytes(16 * KIB)))
    await server.until_connections(0, 1, "dropped")
    stats = await server.stats()
    peak = (stats.heap_peak - before.heap) / len(peers)
    expect(stats.ended("the peer stopped reading") == len(peers), f"endings: {stats.endings}")
    # 64 KiB and a message wait to be sent, 16 messages wait to be received, 128 KiB were read at once.
    most = (64 + 16 + 16 * 16 + 128 + 64) * KIB
    expect(peak < most, f"{size(peak)} of heap were held for each connection")
    return f"{len(peers)} peers, dropped after {span(times)}, {size(peak)} of heap each"


@check("peers that do not read what a handler pours: dropped at the write-stall deadline", alone=True)
async def unread(server):
    before = await server.stats()
    peers = await together(server.open("/pour", RECEIVE_BUFFER) for _ in range(30))
    watch = Stopwatch()
    await server.until_connections(0, 1 + SLACK, "dropped")
    took = watch.expect_deadline(1, "dropped")
    stats = await server.stats()
    peak = (stats.heap_peak - before.heap) / len(peers)
    expect(stats.ended("the peer stopped reading") == len(peers), f"endings: {stats.endings}")
    expect(peak < 128 * KIB, f"{size(peak)} of heap were held for each connection")
    return f"{len(peers)} peers, dropped within {took:.2f} s, {size(peak)} of heap each"


@check("a flood to a handler that never receives: waits in TCP, and a reset ends it", alone=True, ping=1)
async def never_read(server):
    before = await server.stats()
    peers = await together(server.open("/never-read") for _ in range(30))

    async def one(peer):
        async with beside(pour(peer, frame(BINARY, bytes(16 * KIB)))):
            await asyncio.sleep(2.5)
        return peer

    await together(one(peer) for peer in peers)
    stats = await server.stats()
    # The peer's pong lies behind what nobody takes: it is not held against the peer.
    expect(stats.connections == len(peers), f"{stats.connections} of 30 are still open: {stats.endings}")
    peak = (stats.heap_peak - before.heap) / len(peers)
    expect(peak < (16 * 16 + 128 + 64) * KIB, f"{size(peak)} of heap were held for each connection")
    watch = Stopwatch()
    for peer in peers:
        peer.reset()
    await server.until_connections(0, 1 + SLACK, "noticed that the peers are gone")
    return f"{len(peers)} peers, {size(peak)} of heap each, ended {watch.read():.2f} s after the reset"


@check("a handler busy for three ping intervals: nobody is dropped, nothing lost", ping=1)
async def busy(server):
    async def one():
        peer = await server.open("/busy")

        async def answer():
            while (found := await peer.read_frame()) is not None:
                if found[0] == PING:
                    await peer.send(frame(PONG, found[1]))

        async with beside(answer()):
            for _ in range(20):
                for _ in range(20):
                    await peer.send(frame(BINARY, bytes(1000)))
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)

    peers = 20
    await together(one() for _ in range(peers))
    stats = await server.stats()
    expect(stats.connections == peers, f"{stats.connections} of {peers} are still open: {stats.endings}")
    expect(stats.messages == peers * 400, f"{stats.messages} of {peers * 400} messages were received")
    server.close_peers()
