"""Attacks with how a connection ends."""

import asyncio

from .check import EARLY, KIB, MIB, SLACK, Stopwatch, beside, check, size, together
from .peer import BINARY, CONTINUATION, TEXT, close_frame, expect, frame, head, header


@check("resets in the middle of a head, a frame, a message: what was complete is delivered")
async def resets(server):
    complete = frame(BINARY, bytes(100)) * 3

    async def one(path, data):
        peer = await server.connect()
        if path:
            await peer.upgrade(path)
        await peer.send(data)
        # So that it is not the connection alone that is lost.
        await asyncio.sleep(0.1)
        peer.reset()

    half_heads = [b"", b"GET", head("/echo")[:-1]]
    half_messages = [
        header(BINARY, 100)[:1],
        header(BINARY, 70_000) + bytes(60_000),
        frame(TEXT, b"x" * 1000, fin=False) + header(CONTINUATION, 100),
        close_frame(1000)[:-1],
    ]
    await together(
        [one(None, data) for data in half_heads for _ in range(50)]
        + [one("/sink", complete + data) for data in half_messages for _ in range(50)]
    )

    await server.until_connections(0, SLACK, "noticed the resets")
    stats = await server.stats()
    expect(stats.ended("the transport failed; no Close") == 200, f"endings: {stats.endings}")
    expect(stats.messages == 600, f"{stats.messages} of 600 complete messages were received")
    return "350 peers, 600 messages"


@check("peers that never answer Close, or never close TCP: dropped at the close deadline")
async def no_answer(server):
    async def silent():
        peer = await server.open("/goodbye")
        expect(await peer.read_close() == 1000, "no Close came")
        return peer

    async def answering():
        peer = await silent()
        await peer.send(close_frame(1000))

    async def asking():
        peer = await server.open("/echo")
        await peer.send(close_frame(1000))
        expect(await peer.read_close() == 1000, "the Close was not answered")

    async def chatting():
        peer = await silent()
        while True:
            await peer.send(frame(TEXT, b"one more thing"))
            await asyncio.sleep(0.05)

    watch = Stopwatch()
    async with beside(together(chatting() for _ in range(25))):
        await together(kind() for kind in (silent, answering, asking) for _ in range(25))
        opened = watch.read()
        expect(opened < 1 - EARLY, f"100 connections took {opened:.1f} s: too slow a machine for these deadlines")
        await asyncio.sleep(1 - EARLY - opened)
        early = await server.stats()
        expect(early.connections == 100, f"{early.connections} of 100 were open before the deadline")
        await server.until_connections(0, SLACK, "dropped")
        took = watch.read()
        expect(took < opened + 1 + SLACK, f"dropped after {took:.2f} s")
    endings = (await server.stats()).endings
    expected = {
        "the peer did not answer our Close frame in time; no Close frame received": 50,
        "closed by us; received 1000": 25,
        "closed by the peer; received 1000": 25,
    }
    for ending, count in expected.items():
        found = sum(n for words, n in endings.items() if words.startswith(ending))
        expect(found == count, f"{found} connections ended so: {ending}; and not {count}; all: {endings}")
    return f"100 peers, all dropped {took:.2f} s after the first came"


# What a peer does wrong, and the code it gets.
FAULTS = [
    (frame(BINARY, b"unmasked", masked=False), 1002),
    (bytes([0xF2, 0x80]) + bytes(4), 1002),
    (header(BINARY, 8 * MIB), 1009),
    (frame(TEXT, b"\xff"), 1007),
]

# How much of what follows an error a peer sends here. The server reads on for a while, and throws it away, before it closes
# the connection for good.
DISCARD = MIB


@check("an error Close reaches a peer that sends on, within what the server discards")
async def error_close_discarding(server):
    async def one(start, code):
        peer = await server.open("/echo")
        # All of it is sent before anything is read: no send may fail.
        await peer.send(start + bytes(DISCARD - 64 * KIB))
        await asyncio.sleep(0.2)
        found = await peer.read_close()
        expect(found == code, f"closed with {found}, not {code}")
        how = await peer.end()
        expect(how == "FIN", f"then the connection ended with {how}")

    await together(one(*fault) for fault in FAULTS for _ in range(10))
    return f"{len(FAULTS) * 10} peers, each sends {size(DISCARD - 64 * KIB)} and then reads: Close, FIN"


@check("an error Close reaches a peer that sends megabytes, before anything fails", alone=True)
async def error_close_sending(server):
    async def deaf(peer, start):
        # Reads only when sending is over, which the server will have seen to.
        try:
            await peer.send(start + bytes(8 * MIB))
        except ConnectionError:
            pass
        return await peer.read_close()

    async def attentive(peer, start):
        async with beside(peer.send(start + bytes(8 * MIB))):
            return await peer.read_close()

    async def one(kind, peer, start, code):
        found = await kind(peer, start)
        expect(found == code, f"a peer that is {kind.__name__}: closed with {found}, not {code}")

    attacks = [(kind, fault) for kind in (deaf, attentive) for fault in FAULTS for _ in range(5)]
    peers = await together(server.open("/echo") for _ in attacks)
    await together(one(kind, peer, *fault) for peer, (kind, fault) in zip(peers, attacks))
    return f"{len(attacks)} peers, 8 MiB each"
