"""Attacks with frames that never end, or that break the rules."""

import asyncio
import random
from collections import Counter

from .check import KIB, MIB, SLACK, Stopwatch, beside, check, size, span, together, within
from .peer import BINARY, CONTINUATION, PING, PONG, TEXT, expect, frame, header


@check("a message at a byte every 20 ms: 1008 at the progress deadline")
async def slow_body(server):
    async def trickle(peer, between):
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.02)
            await peer.send(between)

    async def one(start, between):
        peer = await server.open("/sink")
        watch = Stopwatch()
        await peer.send(start)
        async with beside(trickle(peer, between)):
            code = await within(1, peer.read_close(), "closed")
            took = watch.expect_deadline(1, "closed")
            expect(code == 1008, f"closed with {code}")
            return took

    starts = {
        "a frame": (header(BINARY, 100_000), b""),
        # A one-byte fragment around each byte, and a ping, which is life but no progress.
        "fragments": (
            frame(BINARY, b"x", fin=False) + header(CONTINUATION, 1, fin=False),
            frame(PING) + header(CONTINUATION, 1, fin=False),
        ),
    }
    times = await together(one(*start) for start in starts.values() for _ in range(50))
    await server.until_connections(0, SLACK, "over")
    stats = await server.stats()
    expect(stats.ended("a message did not arrive in time") == 100, f"endings: {stats.endings}")
    return f"100 peers, closed after {span(times)}"


@check("a header of which a byte is missing: 1008 at the progress deadline")
async def partial_header(server):
    async def one(start):
        peer = await server.open("/sink")
        watch = Stopwatch()
        await peer.send(start)
        code = await within(1, peer.read_close(), "closed")
        watch.expect_deadline(1, "closed")
        expect(code == 1008, f"closed with {code}")

    starts = [header(BINARY, length)[:-1] for length in (1, 200, 70_000)]
    await together(one(start) for start in [*starts, b"\x82"] for _ in range(10))


@check("a slow but steady message: delivered, over three progress deadlines")
async def steady_body(server):
    async def one():
        peer = await server.open("/echo")
        payload = random.Random(1).randbytes(192 * KIB)
        await peer.send(header(BINARY, len(payload)))
        for start in range(0, len(payload), 6 * KIB):
            await peer.send(payload[start : start + 6 * KIB])
            await asyncio.sleep(0.1)
        expect(await peer.read_frame() == (BINARY, payload), "it did not come back as it was sent")
        peer.close()

    await together(one() for _ in range(10))


@check("pings cut in two by the network: no slow message, over two progress deadlines")
async def cut_pings(server):
    async def one():
        peer = await server.open("/echo")
        ping = frame(PING, bytes(100))
        await peer.send(ping[:50])
        for _ in range(25):
            # Whenever the server looks at the time, it has half a ping.
            await asyncio.sleep(0.1)
            await peer.send(ping[50:] + ping[:50])
            found = await peer.read_frame()
            expect(found == (PONG, bytes(100)), f"a ping was answered with {found}")
        peer.close()

    await together(one() for _ in range(10))


@check("endless fragments, endless frames: 1009 at the limit", alone=True)
async def endless(server):
    before = await server.stats()

    async def one(start, more):
        peer = await server.open("/sink")

        async def pour():
            await peer.send(start)
            while True:
                await peer.send(more)

        async with beside(pour()):
            code = await peer.read_close()
            expect(code == 1009, f"{start[:20]}… was closed with {code}")

    streams = {
        "empty fragments": (frame(BINARY, fin=False), frame(CONTINUATION, fin=False) * 1000),
        "fragments of a byte": (frame(TEXT, b"x", fin=False), frame(CONTINUATION, b"x", fin=False) * 1000),
        "fragments of 64 KiB": (frame(BINARY, fin=False), frame(CONTINUATION, bytes(64 * KIB), fin=False)),
        "with pings between": (
            frame(BINARY, fin=False),
            (frame(CONTINUATION, bytes(1000), fin=False) + frame(PING)) * 100,
        ),
        "a frame of 4 EiB": (header(BINARY, 1 << 62), bytes(64 * KIB)),
        "a frame of one byte too many": (header(BINARY, MIB + 1), bytes(64 * KIB)),
    }
    peers = [one(*stream) for stream in streams.values() for _ in range(5)]
    count = len(peers)
    await together(peers)
    peak = (await server.stats()).heap_peak - before.heap
    # Each may hold a message up to the limit; two worker threads may be moving one to a larger buffer.
    most = count * (MIB + 64 * KIB) + 2 * MIB
    expect(peak <= most, f"the heap grew by {size(peak)} for {count} connections")
    return f"{count} peers, heap at most +{size(peak)}"


@check("messages of which a byte is missing: limit + 64 KiB are held each, then 1008", alone=True)
async def almost_complete(server):
    before = await server.stats()

    async def one(data):
        peer = await server.open("/sink")
        await peer.send(data)
        code = await within(1, peer.read_close(), "closed")
        expect(code == 1008, f"closed with {code}")

    whole = header(BINARY, MIB) + bytes(MIB - 1)
    pieces = frame(TEXT, b"x" * 1024, fin=False) + frame(CONTINUATION, b"x" * 1024, fin=False) * 1022
    await together([*(one(whole) for _ in range(20)), *(one(pieces) for _ in range(20))])
    stats = await server.stats()
    peak = stats.heap_peak - before.heap
    expect(peak <= 40 * (MIB + 64 * KIB) + 2 * MIB, f"the heap grew by {size(peak)} for 40 connections")
    return f"40 peers, {size(peak / 40)} of heap each"


@check("noise behind the upgrade: every peer is closed or waits for more")
async def noise(server):
    async def one(seed):
        peer = await server.open("/echo")
        await peer.send(random.Random(seed).randbytes(2000))
        return await peer.read_close()

    codes = Counter(await together(one(seed) for seed in range(200)))
    # What looks like the header of a long frame is waited for, until the progress deadline.
    expect(set(codes) <= {1002, 1007, 1008, 1009}, f"close codes: {dict(codes)}")
    return ", ".join(f"{count}× {code}" for code, count in sorted(codes.items()))
