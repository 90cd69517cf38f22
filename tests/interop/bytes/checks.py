#!/usr/bin/env python3
"""TCP programs through the example `tunnel`: both of its ends, and either end beside others.

usage: checks.py NAME=PORT... [checks=NAME|NAME…]

The ports are those of `harness/bytes.py`, all on 127.0.0.1.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

HOST = "127.0.0.1"
MIB = 1 << 20

args = dict(arg.split("=", 1) for arg in sys.argv[1:])


async def run_program(*command, given=b""):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    out, _ = await process.communicate(given)
    if process.returncode != 0:
        raise AssertionError(f"{command[0]} ended with status {process.returncode}: {out[-300:]!r}")
    return out


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"got {got[:100]!r} ({len(got)} bytes), not {expected[:100]!r} ({len(expected)} bytes)")


async def redis(port, *command, given=b""):
    return await run_program("redis-cli", "-h", HOST, "-p", port, *command, given=given)


async def small_and_large_values(port):
    equal(await redis(port, "ping"), b"PONG\n")
    value = os.urandom(MIB).hex().encode()
    equal(await redis(port, "-x", "set", "large", given=value), b"OK\n")
    equal(await redis(port, "get", "large"), value + b"\n")


async def many_commands_at_once(port):
    commands = b"".join(b"SET key%d %d\r\n" % (n, n) for n in range(100_000))
    out = await redis(port, "--pipe", given=commands)
    if b"errors: 0, replies: 100000" not in out:
        raise AssertionError(f"redis-cli said {out[-200:]!r}")


async def many_connections(port):
    options = ["-n", "20000", "-c", "50", "-P", "8", "-t", "set,get", "-q"]
    out = await run_program("redis-benchmark", "-h", HOST, "-p", port, *options)
    if out.count(b"requests per second") != 2:
        raise AssertionError(f"redis-benchmark said {out[-200:]!r}")


async def a_client_of_websockify():
    url = f"ws://{HOST}:{args['serve']}/"
    async with connect(url, subprotocols=["binary"], compression=None) as ws:
        if ws.subprotocol != "binary":
            raise AssertionError(f"the subprotocol is {ws.subprotocol!r}")
        for _ in range(100):
            await ws.send(b"PING\r\n")
            equal(await ws.recv(), b"+PONG\r\n")
        await ws.send(b"QUIT\r\n")
        equal(await ws.recv(), b"+OK\r\n")
        await ws.wait_closed()
        if ws.close_code != 1000:
            raise AssertionError(f"the service has ended, and the close code is {ws.close_code}")


async def text():
    async with connect(f"ws://{HOST}:{args['serve']}/", compression=None) as ws:
        await ws.send("PING\r\n")
        try:
            raise AssertionError(f"got {await ws.recv()!r}")
        except ConnectionClosed:
            if ws.close_code != 1003:
                raise AssertionError(f"the close code is {ws.close_code}") from None


async def count(reader, writer):
    """Answers the end of the data."""
    data = await reader.read()
    writer.write(b"%d bytes" % len(data))
    writer.close()


async def the_end_of_a_direction():
    async with await asyncio.start_server(count, HOST, int(args["count"])):
        reader, writer = await asyncio.open_connection(HOST, int(args["connect_count"]))
        writer.write(bytes(10 * MIB))
        writer.write_eof()
        equal(await reader.read(), b"%d bytes" % (10 * MIB))
        writer.close()


async def a_service_that_is_not_there():
    reader, writer = await asyncio.open_connection(HOST, int(args["connect_count"]))
    try:
        equal(await reader.read(), b"")
    except ConnectionResetError:
        pass
    writer.close()


CHECKS = {
    "redis-cli through both ends": lambda: small_and_large_values(args["connect"]),
    "redis-cli --pipe, 100,000 commands": lambda: many_commands_at_once(args["connect"]),
    "redis-benchmark, 50 connections": lambda: many_connections(args["connect"]),
    "redis-cli through our client and websockify": lambda: small_and_large_values(args["past_websockify"]),
    "a client of websockify": a_client_of_websockify,
    "text is refused: 1003": text,
    "the end of one direction": the_end_of_a_direction,
    "a service that is not there": a_service_that_is_not_there,
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
