#!/usr/bin/env python3
"""What a proxy that only passes bytes on could cut off: the Close that refuses a message, while the client still sends it.

usage: checks.py direct=URL stunnel=URL privoxy=URL [checks=NAME|NAME…]

`direct` is a listener of our server that takes messages of 1 MiB, `stunnel` is the same behind stunnel; `privoxy` is an
HTTP proxy.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

MIB = 1 << 20
SIZES = [3 * MIB, 30 * MIB]
CLIENTS = 24

args = dict(arg.split("=", 1) for arg in sys.argv[1:])


async def refused(size, url, proxy):
    """The close code that a client sees whose message is too long; its library reads while it sends."""
    ws = await connect(url + "/echo", proxy=proxy, compression=None, ping_interval=None)
    try:
        await ws.send(bytes(size))
        raise AssertionError(f"got {await ws.recv()!r}")
    except (ConnectionClosed, AttributeError):
        # An AttributeError is what `websockets` makes of a transport that is gone when it wants to abort it; so would its
        # `close`, which is why nobody calls it here.
        await ws.wait_closed()
        return ws.close_code


async def check(url, proxy=None):
    codes = [await refused(SIZES[n % len(SIZES)], url, proxy) for n in range(CLIENTS)]
    told = codes.count(1009)
    if told != CLIENTS:
        raise AssertionError(f"{told} of {CLIENTS} clients saw 1009, the others {sorted(set(codes) - {1009})}")


CHECKS = {
    "1009 reaches 24 clients that still send": lambda: check(args["direct"]),
    "through stunnel": lambda: check(args["stunnel"]),
    "through privoxy": lambda: check(args["direct"], args["privoxy"]),
}


async def run(name):
    try:
        async with asyncio.timeout(60):
            await CHECKS[name]()
    except Exception as exc:
        print("fail", name, " ".join(f"{type(exc).__name__}: {exc}".split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


async def main():
    wanted = args["checks"].split("|") if "checks" in args else CHECKS
    verdicts = [await run(name) for name in CHECKS if name in wanted]
    return 0 if all(verdicts) else 1


sys.exit(asyncio.run(main()))
