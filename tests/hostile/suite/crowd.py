"""Attacks by number: ten thousand connections that cost their owner nothing."""

import asyncio
import socket

from .check import EARLY, KIB, SLACK, Stopwatch, beside, check, size, together
from .peer import CLOSE, PING, PONG, Peer, expect, frame, head

CROWD = 10_000


# What overflows the listener's queue is a second late.
BACKLOG = 4096
BATCH = 1000


def gather_batch(address, path):
    """So many connections, upgraded when there is a path. Blocks, and is ten times faster than asyncio."""
    batch = [Peer.connect_blocking(address) for _ in range(BATCH)]
    if path:
        for peer in batch:
            peer.sock.sendall(head(path))
        for peer in batch:
            answer = peer.sock.recv(4096)
            whole = answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"\r\n\r\n")
            expect(whole, f"the upgrade was answered with {answer}")
    for peer in batch:
        peer.sock.setblocking(False)
    return batch


@check(
    "10,000 connections that send no head: 408 at the deadline",
    alone=True,
    handshake=4,
    handshakes=CROWD + 100,
    backlog=BACKLOG,
)
async def no_head(server):
    before = await server.stats()
    watch = Stopwatch()
    crowd = await gather(server)
    opened = watch.read()
    expect(opened < 4, too_slow(opened))
    each = await per_connection(server, before)
    await server.expect_service()

    # Who does not leave by itself is waited for: 2 s, so that the answer is not lost in a reset.
    await server.until_fds(before.fds, 4 + 2 + SLACK, "dropped")
    dropped = watch.read()
    for peer in crowd:
        answer, ended = peer.drain()
        expect(answer.startswith(b"HTTP/1.1 408 ") and ended, f"a silent peer got {answer[:60]}")
    return f"{each}; opened in {opened:.1f} s, all dropped after {dropped:.1f} s"


@check(
    "10,000 connections that say nothing after the upgrade: dropped by keepalive",
    alone=True,
    ping=6,
    backlog=BACKLOG,
)
async def silent(server):
    honest = await server.open("/echo")
    expect(await honest.echoes(b"before"), "an honest peer's message did not come back")
    before = await server.stats()
    watch = Stopwatch()
    crowd = await gather(server, "/echo")
    opened = watch.read()
    expect(opened < 6, too_slow(opened))
    expect((await server.stats()).connections == CROWD + 1, "not all are open")
    each = await per_connection(server, before)

    async def keep_alive():
        while (found := await honest.read_frame()) is not None:
            if found[0] == PING:
                await honest.send(frame(PONG, found[1]))

    async with beside(keep_alive()):
        await asyncio.sleep(6 + 1 - EARLY - watch.read())
        early = await server.stats()
        expect(early.connections == CROWD + 1, f"{early.connections} were open before the first deadline")
        await server.until_connections(1, opened + 1 + SLACK, "dropped")
        dropped = watch.read()
    expect(await honest.echoes(b"after"), "the peer that answers pings was not kept")
    honest.close()
    stats = await server.stats()
    expect(stats.ended("keepalive ping timeout") == CROWD, f"endings: {stats.endings}")
    for peer in crowd:
        frames, ended = peer.drain()
        # Two pings of 8 bytes, the second half-way to the deadline, then the Close.
        found = frames[0] & 0x0F, frames[10] & 0x0F, frames[20] & 0x0F, int.from_bytes(frames[22:24])
        expect(found == (PING, PING, CLOSE, 1011) and ended, f"a silent peer got {frames}")
    return f"{each}; opened in {opened:.1f} s, all dropped after {dropped:.1f} s"


@check(
    "1,500 silent connections for 1,024 handshake slots: as many as have to make room for an honest peer",
    alone=True,
    handshake=60,
    backlog=BACKLOG,
)
async def slots(server):
    before = await server.stats()
    crowd = await together(server.connect() for _ in range(1500))
    await server.until_fds(before.fds + 1024, SLACK, "accepted")
    watch = Stopwatch()
    # Long before the deadline of their handshakes.
    most = 0
    service = asyncio.create_task(server.expect_service())
    while not service.done():
        stats = await server.stats()
        most = max(most, stats.fds - before.fds)
        expect(watch.read() < 20, "an honest peer was not served in 20 s, with a deadline of 60 s for each handshake")
        await asyncio.sleep(0.02)
    await service
    # One more waits in the server's hand for a slot.
    expect(most <= 1024 + 3, f"{most} connections were held")
    gone = sum(peer.drain() == (b"", True) for peer in crowd)
    expect(gone <= 1500 + 2 - 1024, f"{gone} of 1,500 made room, where {1500 + 1 - 1024} had to")
    server.close_peers()
    return f"at most {most} are held, {gone} make room, the honest peer waits {watch.read():.1f} s"


def too_slow(opened):
    return f"to open {CROWD} connections took {opened:.1f} s: too slow a machine for these deadlines"


async def gather(server, path=None):
    """The crowd, all of it accepted."""
    before = await server.stats()
    crowd = []
    while len(crowd) < CROWD:
        batch = await asyncio.to_thread(gather_batch, server.address, path)
        crowd += batch
        server.peers += batch
        await server.until_fds(before.fds + len(crowd), 2, "accepted")
    return crowd


async def per_connection(server, before):
    stats = await server.stats()
    heap, rss = ((now - then) / CROWD for now, then in [(stats.heap, before.heap), (stats.rss, before.rss)])
    # No buffers: what an idle connection holds is its state, its heads, its task and the socket's registration.
    expect(rss < 16 * KIB, f"{size(rss)} of memory for each idle connection")
    return f"per connection {size(rss)} RSS, {size(heap)} heap"
