#!/usr/bin/env python3
"""TCP programs through the example `tunnel`: both of its ends, and either end beside others.

usage: checks.py home=FOLDER NAME=PORT... [checks=NAME|NAME…]

The ports are those of `harness/bytes.py`, all on 127.0.0.1. Its folder has the client's configuration for SSH.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import hashlib
import os
import sys
import tempfile

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

HOST = "127.0.0.1"
MIB = 1 << 20

args = dict(arg.split("=", 1) for arg in sys.argv[1:])


async def run_program(*command, given=b"", status=0):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    out, _ = await process.communicate(given)
    if process.returncode != status:
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


async def ssh(port, command, **options):
    return await run_program("ssh", "-F", f"{args['home']}/ssh_config", "-p", port, HOST, command, **options)


async def a_shell(port):
    equal(await ssh(port, "echo hello; exit 3", status=3), b"hello\n")
    # Both directions at once, and then the end of one, which SSH tells within its data.
    data = os.urandom(32 * MIB)
    equal(await ssh(port, "cat", given=data), data)
    equal(await ssh(port, "sha256sum", given=data), f"{hashlib.sha256(data).hexdigest()}  -\n".encode())
    equal(await ssh(port, f"head -c {32 * MIB} /dev/zero"), bytes(32 * MIB))


async def many_shells(port):
    outputs = await asyncio.gather(*(ssh(port, f"echo {n}") for n in range(10)))
    equal(b"".join(outputs), b"".join(b"%d\n" % n for n in range(10)))


async def files_by_scp(port):
    with tempfile.TemporaryDirectory(dir=args["home"]) as folder:
        data = os.urandom(8 * MIB)
        with open(f"{folder}/here", "wb") as file:
            file.write(data)
        scp = ["scp", "-q", "-F", f"{args['home']}/ssh_config", "-P", port]
        await run_program(*scp, f"{folder}/here", f"{HOST}:{folder}/there")
        await run_program(*scp, f"{HOST}:{folder}/there", f"{folder}/back")
        with open(f"{folder}/back", "rb") as file:
            equal(file.read(), data)


async def a_client_of_websockify():
    url = f"ws://{HOST}:{args['serve_redis']}/"
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
    async with connect(f"ws://{HOST}:{args['serve_redis']}/", compression=None) as ws:
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


async def a_client_that_leaves():
    """The service learns that its client is gone, and the tunnel goes on."""
    gone = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        await reader.readexactly(5)
        gone.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, HOST, int(args["count"])):
        for through in ("connect_count", "past_websockify_count"):
            _, writer = await asyncio.open_connection(HOST, int(args[through]))
            writer.write(b"hello")
            writer.close()
            equal(await gone, b"")
            gone = asyncio.get_running_loop().create_future()


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


async def the_end_of_the_service():
    """All that the service sent before its end arrives, and then the end."""
    data = os.urandom(10 * MIB)

    async def serve(reader, writer):
        writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, HOST, int(args["count"])):
        for through in ("connect_count", "past_websockify_count"):
            reader, writer = await asyncio.open_connection(HOST, int(args[through]))
            equal(await reader.read(), data)
            writer.close()


CHECKS = {
    "ssh through both ends, 32 MiB each way": lambda: a_shell(args["connect_ssh"]),
    "ssh, ten at a time": lambda: many_shells(args["connect_ssh"]),
    "scp through both ends": lambda: files_by_scp(args["connect_ssh"]),
    "ssh through our client and websockify": lambda: a_shell(args["past_websockify_ssh"]),
    "redis-cli through both ends": lambda: small_and_large_values(args["connect_redis"]),
    "redis-cli --pipe, 100,000 commands": lambda: many_commands_at_once(args["connect_redis"]),
    "redis-benchmark, 50 connections": lambda: many_connections(args["connect_redis"]),
    "redis-cli through our client and websockify": lambda: small_and_large_values(args["past_websockify_redis"]),
    "a client of websockify": a_client_of_websockify,
    "text is refused: 1003": text,
    "the end of one direction": the_end_of_a_direction,
    "the end of the service": the_end_of_the_service,
    "a client that leaves": a_client_that_leaves,
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
