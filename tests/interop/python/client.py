#!/usr/bin/env python3
"""The interop checks with Python `websockets` as the client.

usage: client.py main=URL limited=URL guarded=URL deflate=URL alone=URL [count=URL] [checks=NAME|NAME…], over TLS with
  `SSL_CERT_FILE` and certificates=DIRECTORY mutual=URL expired=URL early=URL misnamed=URL stranger=URL

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import itertools
import json
import pathlib
import ssl
import sys
import time
import traceback
import urllib.parse
import urllib.request

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

MIB = 1024 * 1024
EVERY_BYTE = bytes(range(256))
BEYOND_ASCII = "Grüße, 世界, \u0000 \u200f \ufffd 🦀"
BIG_BINARY = EVERY_BYTE * (16 * MIB // 256)
BIG_TEXT = "é€🦀x" * (16 * MIB // 10) + "x" * (16 * MIB % 10)
# 123 bytes, the longest reason a Close can carry.
LONG_REASON = "é" * 61 + "!"
CLOSES = [(1000, "done"), (1001, "leaving"), (3000, "registered"), (4999, "Schluß 🦀"), (1000, LONG_REASON), (None, "")]

args = dict(arg.split("=", 1) for arg in sys.argv[1:])
ids = itertools.count(1)
checks = []


def check(name, *params):
    def register(function):
        checks.append((name, function, params))
        return function

    return register


def dial(path, listener="main", **options):
    options = {"compression": None, "max_size": 32 * MIB} | options
    return connect(args[listener] + path, proxy=None, **options)


def same(actual, expected):
    if type(actual) is not type(expected) or actual != expected:
        raise AssertionError(f"got {brief(actual)}, expected {brief(expected)}")


def brief(value):
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}… ({len(value)} long)"


async def echoes(ws, *messages):
    for message in messages:
        await ws.send(message)
        same(await ws.recv(), message)


async def ended(ws):
    """How the connection ended, as seen from here; it must not linger."""
    start = time.monotonic()
    await ws.wait_closed()
    if time.monotonic() - start > 3:
        raise AssertionError(f"the connection took {time.monotonic() - start:.1f} s to end")
    return int(ws.close_code), ws.close_reason or ""


async def seen(key):
    """How the server saw connection `key` end."""
    async with dial(f"/seen?id={key}") as ws:
        ending = json.loads(await ws.recv())
        return ending["code"], ending["reason"]


@check("text")
async def text():
    async with dial("/echo") as ws:
        await echoes(ws, "hello", "x" * 125, "x" * 126, "x" * 65535, "x" * 65536)


@check("text beyond ASCII")
async def text_beyond_ascii():
    async with dial("/echo") as ws:
        await echoes(ws, BEYOND_ASCII)


@check("empty text")
async def empty_text():
    async with dial("/echo") as ws:
        await echoes(ws, "", "still here")


@check("binary, every byte value")
async def binary():
    async with dial("/echo") as ws:
        await echoes(ws, EVERY_BYTE)


@check("empty binary")
async def empty_binary():
    async with dial("/echo") as ws:
        await echoes(ws, b"", b"still here")


@check("1,000 messages keep their order")
async def order():
    async with dial("/echo") as ws:

        async def pour():
            for i in range(1000):
                await ws.send(f"message {i}")

        pouring = asyncio.create_task(pour())
        for i in range(1000):
            same(await ws.recv(), f"message {i}")
        await pouring


@check("20 connections at once")
async def at_once():
    async def one(i):
        async with dial("/echo") as ws:
            for j in range(20):
                await echoes(ws, f"connection {i}, message {j}")

    await asyncio.gather(*(one(i) for i in range(20)))


@check("fragmented text, sent")
async def fragmented_text_sent():
    async with dial("/echo") as ws:
        await ws.send(["Grü", "", "ße, ", "🦀"])
        same(await ws.recv(), "Grüße, 🦀")
        await ws.send(["", "", ""])
        same(await ws.recv(), "")


@check("fragmented binary, sent")
async def fragmented_binary_sent():
    async with dial("/echo") as ws:
        await ws.send([b"\x00", b"", EVERY_BYTE, b"\xff"])
        same(await ws.recv(), b"\x00" + EVERY_BYTE + b"\xff")
        await ws.send([EVERY_BYTE[i : i + 1] * 2 for i in range(256)] * 4)
        same(await ws.recv(), b"".join(EVERY_BYTE[i : i + 1] * 2 for i in range(256)) * 4)


@check("fragmented text, received")
async def fragmented_text_received():
    async with dial("/fragments?size=4") as ws:
        await ws.send(BEYOND_ASCII)
        parts = [part async for part in ws.recv_streaming()]
        same("".join(parts), BEYOND_ASCII)
        if len(parts) < 2:
            raise AssertionError("it came in one frame")
        await echoes(ws, "", "x")


@check("fragmented binary, received")
async def fragmented_binary_received():
    async with dial("/fragments?size=1") as ws:
        await ws.send(EVERY_BYTE * 4)
        parts = [part async for part in ws.recv_streaming()]
        same(b"".join(parts), EVERY_BYTE * 4)
        if len(parts) < 1024:
            raise AssertionError(f"{len(parts)} frames instead of 1,024")
        await echoes(ws, b"")


@check("code point split across frames")
async def split_code_point():
    async with dial("/echo") as ws:
        crab = "🦀".encode()
        await ws.send([b"a" + crab[:1], crab[1:3], b"", crab[3:] + b"z"], text=True)
        same(await ws.recv(), "a🦀z")


@check("ping between fragments")
async def ping_between_fragments():
    async with dial("/echo") as ws:

        async def parts():
            yield "before "
            await asyncio.wait_for(await ws.ping(b"between"), 5)
            yield "after"

        await ws.send(parts())
        same(await ws.recv(), "before after")


@check("16 MiB of text")
async def big_text():
    async with dial("/echo") as ws:
        await echoes(ws, BIG_TEXT)


@check("16 MiB of binary")
async def big_binary():
    async with dial("/echo") as ws:
        await echoes(ws, BIG_BINARY)


@check("16 MiB in fragments")
async def big_fragments():
    async with dial("/fragments?size=65536") as ws:
        await ws.send(BIG_BINARY[i : i + 65536] for i in range(0, len(BIG_BINARY), 65536))
        same(await ws.recv(), BIG_BINARY)


@check("16 MiB echoed while they are sent")
async def streamed():
    for listener, options in [("main", {}), ("deflate", {"compression": "deflate"})]:
        async with dial("/echo?streamed", listener, **options) as ws:
            for whole, size in [(BIG_BINARY, 100_000), (BIG_TEXT, 100_000), (b"", 1), ("x", 1)]:

                async def pieces():
                    for i in range(0, len(whole) or 1, size):
                        yield whole[i : i + size]

                async def received():
                    return whole[:0].join([part async for part in ws.recv_streaming()])

                _, answer = await asyncio.gather(ws.send(pieces()), received())
                same(answer, whole)


@check("pings we send are answered")
async def pings_sent():
    async with dial("/echo") as ws:
        await ws.pong(b"nobody asked")
        for payload in [b"", b"are you there?", b"\xff" * 125]:
            # Resolves only when a pong with this very payload arrives.
            latency = await asyncio.wait_for(await ws.ping(payload), 5)
            if not 0 <= latency < 5:
                raise AssertionError(f"latency of {latency} s")
        for pong in [await ws.ping(b"%d" % i) for i in range(10)]:
            await asyncio.wait_for(pong, 5)
        await echoes(ws, "still here")


@check("pings we get are answered")
async def pings_received():
    async with dial("/ping") as ws:
        latencies = json.loads(await ws.recv())["microseconds"]
        if not latencies or not all(0 <= latency < 5e6 for latency in latencies):
            raise AssertionError(f"latencies of {latencies} µs")


@check("we close: %s", *CLOSES)
async def client_closes(code, reason):
    key = f"python-{next(ids)}"
    ws = await dial(f"/echo?id={key}")
    await echoes(ws, "before the end")
    await ws.close(code, reason)
    if code is None:
        same((await ended(ws))[0], 1005)
        same((await seen(key))[0], 1005)
    else:
        same((await ended(ws))[0], code)
        same(await seen(key), (code, reason))


@check("they close: %s", *CLOSES)
async def server_closes(code, reason):
    query = {} if code is None else {"code": code, "reason": reason}
    ws = await dial("/close?" + urllib.parse.urlencode(query))
    try:
        raise AssertionError(f"got {brief(await ws.recv())} instead of a Close")
    except ConnectionClosed:
        same(await ended(ws), (code or 1005, reason))


@check("a failing handler closes with 1011")
async def handler_fails():
    ws = await dial("/fail")
    same((await ended(ws))[0], 1011)


@check("a message over their limit: 1009")
async def over_their_limit():
    async with dial("/echo", "limited") as ws:
        await echoes(ws, bytes(MIB))
        await ws.send(bytes(MIB + 1))
        same((await ended(ws))[0], 1009)


@check("a message over our limit: 1009")
async def over_our_limit():
    key = f"python-{next(ids)}"
    ws = await dial(f"/send?kind=text&size={MIB + 1}&id={key}", max_size=MIB)
    try:
        raise AssertionError(f"got {brief(await ws.recv())}")
    except ConnectionClosed:
        pass
    same((await seen(key))[0], 1009)


@check("subprotocol")
async def subprotocol():
    origin = "https://allowed.example"
    for offered, chosen in [(["unknown", "chat.v1"], "chat.v1"), (["chat.v1", "chat.v2"], "chat.v2")]:
        async with dial("/request", "guarded", origin=origin, subprotocols=offered) as ws:
            same(ws.subprotocol, chosen)
            same(json.loads(await ws.recv())["subprotocol"], chosen)


@check("request headers and target arrive")
async def request_arrives():
    path = "/request?a=b%20c&d=%C3%A9"
    async with dial(path, additional_headers={"X-Interop": "from the client"}) as ws:
        request = json.loads(await ws.recv())
        same(request["target"], path)
        same(request["headers"]["x-interop"], "from the client")
        same(request["headers"]["host"], urllib.parse.urlsplit(args["main"]).netloc)


@check("an Origin not on the list: 403")
async def origin():
    await refused(403, "/echo", "guarded", origin="https://evil.example", subprotocols=["chat.v1"])
    async with dial("/echo", "guarded", origin="https://allowed.example", subprotocols=["chat.v1"]) as ws:
        await echoes(ws, "welcome")


@check("a refusal shows status, headers, body")
async def refusal():
    response = await refused(401, "/refuse")
    same(response.headers["WWW-Authenticate"], 'Basic realm="interop"')
    same(bytes(response.body), b"no entry\n")
    await refused(404, "/nowhere")


async def refused(status, *where, **options):
    try:
        async with dial(*where, **options):
            raise AssertionError(f"connected instead of {status}")
    except InvalidStatus as exc:
        same(exc.response.status_code, status)
        return exc.response


@check("a GET gets the page")
async def page():
    def get():
        with urllib.request.urlopen("http" + args["main"].removeprefix("ws") + "/page", timeout=5) as response:
            return response.status, response.headers.get_content_type(), response.read()

    status, content_type, body = await asyncio.to_thread(get)
    same((status, content_type), (200, "text/html"))
    if b"<title>interop</title>" not in body:
        raise AssertionError(f"got {brief(body)}")


class Counted(ClientConnection):
    """Counts the bytes on the wire."""

    sent = received = 0

    def connection_made(self, transport):
        super().connection_made(transport)
        write = transport.write

        def counted(data):
            self.sent += len(data)
            write(data)

        transport.write = counted

    def data_received(self, data):
        self.received += len(data)
        super().data_received(data)


def extensions_of(head):
    return "; ".join(head.headers.get_all("Sec-WebSocket-Extensions"))


def dial_deflate(listener="deflate", **parameters):
    """With compression, by default as `websockets` does it; other parameters may be asked for."""
    factory = ClientPerMessageDeflateFactory(**{"client_max_window_bits": True} | parameters)
    return dial("/echo", listener, extensions=[factory], create_connection=Counted)


def noise():
    """2 KiB that a compressor makes about half of, unless it has seen them before."""
    state, digits = 1, []
    for _ in range(2048):
        state = state * 75 % 65537
        digits.append("0123456789abcdef"[state >> 8 & 15])
    return "".join(digits)


async def compressed(ws, least, most):
    """Echoes messages that are much alike; their share of bytes on the wire must lie in between, each way."""
    sent, received, plain = ws.sent, ws.received, 0
    for i in range(10):
        for message in (f"{noise()} {i}", f"{noise()} {i}".encode()):
            await echoes(ws, message)
            plain += len(message)
    for way, share in ("sent", (ws.sent - sent) / plain), ("received", (ws.received - received) / plain):
        if not least < share < most:
            raise AssertionError(f"{share:.0%} of the bytes {way}, expected {least:.0%} to {most:.0%}")


# What a server leaves out of its own compressor's settings holds all the same.
async def without_takeover(ws, named=("client_no_context_takeover",)):
    for parameter in named:
        if parameter not in extensions_of(ws.response):
            raise AssertionError(f"the answer is {extensions_of(ws.response)}")
    await compressed(ws, 0.4, 0.8)


@check("compression offered, declined")
async def compression_declined():
    async with dial("/echo", compression="deflate") as ws:
        same(extensions_of(ws.request).split(";")[0], "permessage-deflate")
        same(extensions_of(ws.response), "")
        await echoes(ws, "x" * 2000, b"x" * 2000)


@check("their compression left alone")
async def compression_left_alone():
    async with dial("/echo", "deflate") as ws:
        same(extensions_of(ws.response), "")
        await echoes(ws, "x" * 2000, b"x" * 2000)


@check("compression with context takeover")
async def compression():
    async with dial_deflate() as ws:
        same(extensions_of(ws.response).split(";")[0], "permessage-deflate")
        if "no_context_takeover" in extensions_of(ws.response):
            raise AssertionError(f"the answer is {extensions_of(ws.response)}")
        await compressed(ws, 0.01, 0.2)


@check("compression without takeover, as they want")
async def compression_alone():
    async with dial_deflate("alone") as ws:
        await without_takeover(ws)


@check("compression without takeover, as we want")
async def compression_alone_asked():
    async with dial_deflate(server_no_context_takeover=True, client_no_context_takeover=True) as ws:
        await without_takeover(ws, ("server_no_context_takeover", "client_no_context_takeover"))


@check("compression with the smallest windows")
async def compression_small():
    # zlib knows no window of 8 bits.
    async with dial_deflate(server_max_window_bits=9, client_max_window_bits=9) as ws:
        if "server_max_window_bits=9" not in extensions_of(ws.response).replace(" ", ""):
            raise AssertionError(f"the answer is {extensions_of(ws.response)}")
        # A window shorter than a message: nothing to look back on.
        await compressed(ws, 0.4, 0.8)


@check("compression of 16 MiB in fragments")
async def compression_big():
    async with dial("/fragments?size=65536", "deflate", compression="deflate", create_connection=Counted) as ws:
        await ws.send(BIG_BINARY[i : i + 65536] for i in range(0, len(BIG_BINARY), 65536))
        same(await ws.recv(), BIG_BINARY)
        await echoes(ws, BIG_TEXT)
        if max(ws.sent, ws.received) > 4 * MIB:
            raise AssertionError(f"{ws.sent} bytes sent and {ws.received} received")


@check("compressed beyond their limit: 1009")
async def compressed_bomb():
    async with dial("/echo", "limited", compression="deflate", create_connection=Counted) as ws:
        same(extensions_of(ws.response).split(";")[0], "permessage-deflate")
        await echoes(ws, bytes(MIB))
        await ws.send(bytes(MIB + 1))
        same((await ended(ws))[0], 1009)
        if ws.sent > MIB // 10:
            raise AssertionError(f"{ws.sent} bytes sent")


if "count" in args:

    @check("fragments leave as fragments")
    async def fragments_counted():
        async with dial("/count", "count") as ws:
            await ws.send(["a", "b", "c"])
            # `websockets` ends an iterable with an empty frame.
            same(await ws.recv(), "4")


if "mutual" in args:

    @check("a certificate that cannot be trusted is refused")
    async def untrusted():
        why = {}
        for listener in ("expired", "early", "misnamed", "stranger"):
            try:
                async with dial("/echo", listener):
                    raise AssertionError(f"connected to {listener}")
            except ssl.SSLCertVerificationError as exc:
                why[listener] = exc.verify_message.split(",")[0]
        same(why["expired"], "certificate has expired")
        same(why["early"], "certificate is not yet valid")
        same(why["misnamed"], "IP address mismatch")
        same(why["stranger"], "unable to get local issuer certificate")

    @check("a client's certificate")
    async def client_certificate():
        try:
            async with dial("/echo", "mutual") as ws:
                raise AssertionError(f"got {await ws.recv()} without a certificate")
        except InvalidMessage:
            # `websockets` knows of no alerts: to it the server has closed without an answer.
            pass
        directory = pathlib.Path(args["certificates"])
        context = ssl.create_default_context()
        context.load_cert_chain(directory / "client.pem", directory / "client.key")
        async with dial("/echo", "mutual", ssl=context) as ws:
            await echoes(ws, "it is me")


@check("their shutdown: 1001")
async def shutdown():
    bystander = await dial("/echo")
    await echoes(bystander, "nothing to see here")
    ws = await dial("/shutdown")
    same((await ended(ws))[0], 1001)
    same((await ended(bystander))[0], 1001)


async def run(name, function, *params):
    try:
        async with asyncio.timeout(30):
            await function(*params)
    except Exception as exc:
        line = traceback.extract_tb(exc.__traceback__)[-1].lineno if exc.__traceback__ else 0
        why = str(exc) or type(exc).__name__
        if not isinstance(exc, AssertionError):
            why = f"{type(exc).__name__}: {why} (line {line})"
        print("fail", name, " ".join(why.split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


def describe(close):
    code, reason = close
    if code is None:
        return "no code"
    return f"{code}, longest reason" if reason == LONG_REASON else str(code)


async def main():
    passed = True
    wanted = args["checks"].split("|") if "checks" in args else None
    for name, function, params in checks:
        variants = [(name % describe(param), param) for param in params] or [(name, ())]
        for full_name, param in variants:
            if wanted is None or full_name in wanted:
                passed &= await run(full_name, function, *param)
    return 0 if passed else 1


sys.exit(asyncio.run(main()))
