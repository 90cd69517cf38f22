"""Attacks on the opening handshake."""

import asyncio
import random
from collections import Counter

from .check import KIB, MIB, SLACK, Stopwatch, beside, check, span, together, within
from .peer import expect, head


def garbage():
    """What is no request: other protocols, broken requests, noise."""
    dice = random.Random(6455)
    return [
        bytes.fromhex("16030100c8010000c40303") + dice.randbytes(194),  # a TLS ClientHello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\0\r\n\r\n",
        b"GET /" + b"\xf0\x9f" * 2000 + b" HTTP/1.1\r\n\r\n",
        b"\r\n" * 20_000,
        bytes(20_000),
        *(dice.randbytes(dice.randint(1, 4000)) for _ in range(100)),
    ]


@check("garbage instead of a request: refused or dropped")
async def garbage_for_a_request(server):
    async def one(data):
        peer = await server.connect()
        await peer.send(data)
        status = await within(1, peer.response(), "refused or dropped")
        expect(status is None or 400 <= status <= 505, f"{data[:40]} was answered with {status}")
        return status

    statuses = Counter(await together(one(data) for data in garbage()))
    return ", ".join(f"{count}× {status}" for status, count in sorted(statuses.items(), key=str))


@check("too large a request: 431, 414, 400 reach a peer that is still sending")
async def too_large(server):
    async def one(data, status):
        peer = await server.connect()
        async with beside(peer.send(data)):
            # It reads only when all that the server wants of it, and much that it does not, is on its way.
            await asyncio.sleep(0.3)
            found = await peer.response()
            expect(found == status, f"{data[:40]}…, {len(data)} bytes, was answered with {found}, not {status}")

    requests = [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (4 * MIB), 431),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * MIB, 431),
        (head("/echo", *(f"X-{i}: x" for i in range(100))), 431),
        (b"GET /" + b"x" * (4 * MIB), 414),
        (head("/" + "x" * (9 * KIB)), 414),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + bytes(900_000), 400),
    ]
    await together(one(*request) for request in requests for _ in range(5))


@check("a head at a byte every 20 ms: 408 at the deadline")
async def slow_head(server):
    async def trickle(peer):
        for byte in head("/echo", *(f"X-{i}: {i}" for i in range(90))):
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.02)

    async def one():
        watch = Stopwatch()
        peer = await server.connect()
        async with beside(trickle(peer)):
            status = await within(1, peer.response(), "dropped")
            took = watch.expect_deadline(1, "dropped")
            expect(status in (408, None), f"answered with {status}")
        peer.close()
        return took

    return f"100 peers, dropped after {span(await together(one() for _ in range(100)))}"


@check("more than max_connections: 503, and nobody else notices", connections=100, handshake=5)
async def max_connections(server):
    # All at once, so that some meet between being let in and being counted.
    peers = await together(server.connect() for _ in range(400))
    await together(peer.send(head("/echo")) for peer in peers)
    statuses = await together(peer.response() for peer in peers)
    counts = Counter(statuses)
    inside = [peer for peer, status in zip(peers, statuses) if status == 101]
    expect(set(counts) == {101, 503}, f"answers were {dict(counts)}")
    expect(len(inside) == 100, f"{len(inside)} connections were let in, and 100 may be open")
    expect(all(await together(peer.echoes(b"still here") for peer in inside)), "one that was let in is not served")

    for peer in inside[:20]:
        peer.close()
    await server.until_connections(80, SLACK, "20 have left")
    for _ in range(20):
        await server.open("/echo")
    one_more = await server.connect()
    await one_more.send(head("/echo"))
    expect(await one_more.response() == 503, "one more was let in")
    server.close_peers()
    return f"of 400 at once 100 are let in, {counts[503]} refused"
