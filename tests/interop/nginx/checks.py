#!/usr/bin/env python3
"""What only shows behind a proxy, with Python `websockets` as the client: whose connection it is, and its end.

usage: checks.py main=URL lively=URL direct=URL nginx=PID [checks=NAME|NAME…]

`main` and `lively` are listeners of our server behind nginx, `direct` is `main` without it.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import itertools
import json
import os
import signal
import ssl
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

# Neither nginx's own address, which the server trusts, nor what the system would choose.
CLIENT = "127.0.0.7"
SPOOFED = "203.0.113.66"

args = dict(arg.split("=", 1) for arg in sys.argv[1:])
ids = itertools.count(1)
checks = {}


def check(name):
    def register(function):
        checks[name] = function
        return function

    return register


def dial(listener, path, headers={}, **options):
    options = {"local_addr": (CLIENT, 0), "ping_interval": None} | options
    return connect(args[listener] + path, proxy=None, additional_headers=list(headers), **options)


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r}, expected {expected!r}")


async def seen_from(listener, *headers):
    """Whose the connection is, as its handler has it."""
    async with dial(listener, "/request", headers) as ws:
        return json.loads(await ws.recv())["client"]


async def seen(key):
    """How the server saw connection `key` end."""
    async with dial("direct", f"/seen?id={key}") as ws:
        return json.loads(await ws.recv())["code"]


async def echoes(ws, message):
    await ws.send(message)
    same(await ws.recv(), message)


async def cut_off(ws):
    """Waits until the connection ends without a Close."""
    try:
        raise AssertionError(f"got {await ws.recv()!r}")
    except ConnectionClosed:
        same(ws.close_code, 1006)


@check("the handler sees the client's address")
async def client_address():
    same(await seen_from("main"), CLIENT)
    async with dial("main", "/request") as ws:
        headers = json.loads(await ws.recv())["headers"]
        same((headers["x-forwarded-for"], headers["x-real-ip"]), (CLIENT, CLIENT))


@check("so does the request hook")
async def hook():
    def get():
        page = args["main"].replace("wss:", "https:") + "/client"
        with urllib.request.urlopen(page, timeout=5) as response:
            return response.read().decode()

    # From the address that the system chooses.
    same(await asyncio.to_thread(get), "127.0.0.1")


@check("what a client says of itself is not believed")
async def spoofed():
    for said in [SPOOFED, f"{SPOOFED}, 127.0.0.2", "127.0.0.2", "unknown", ",", "[::1]:1, \u00e9"]:
        same(await seen_from("main", ("X-Forwarded-For", said)), CLIENT)
    same(await seen_from("main", ("X-Forwarded-For", SPOOFED), ("X-Forwarded-For", "127.0.0.2")), CLIENT)
    same(await seen_from("main", ("X-Real-IP", SPOOFED)), CLIENT)


@check("nor is it without a proxy")
async def spoofed_directly():
    same(await seen_from("direct", ("X-Forwarded-For", SPOOFED), ("X-Real-IP", SPOOFED)), CLIENT)


@check("proxy_read_timeout ends a silent connection: 1006")
async def silent():
    key = f"silent-{next(ids)}"
    async with dial("main", f"/impatient/echo?id={key}") as ws:
        await echoes(ws, "before the silence")
        await cut_off(ws)
    same(await seen(key), 1006)


@check("the server's pings keep a connection open")
async def server_pings():
    async with dial("lively", "/impatient/echo") as ws:
        await asyncio.sleep(2.5)
        await echoes(ws, "still here")


@check("the client's pings keep a connection open")
async def client_pings():
    async with dial("main", "/impatient/echo", ping_interval=0.3) as ws:
        await asyncio.sleep(2.5)
        await echoes(ws, "still here")


@check("a reload leaves connections alone for a while, then 1006")
async def reload():
    key = f"reload-{next(ids)}"
    async with dial("main", f"/echo?id={key}") as ws:
        await echoes(ws, "before the reload")
        os.kill(int(args["nginx"]), signal.SIGHUP)
        await asyncio.sleep(0.3)
        await echoes(ws, "after the reload")
        async with dial("main", "/echo") as another:
            await echoes(another, "on the new configuration")
        await cut_off(ws)
    same(await seen(key), 1006)


@check("nginx stops: 1006")
async def stop():
    key = f"stop-{next(ids)}"
    async with dial("main", f"/echo?id={key}") as ws:
        await echoes(ws, "before the end")
        os.kill(int(args["nginx"]), signal.SIGTERM)
        await cut_off(ws)
    same(await seen(key), 1006)


async def run(name, function):
    try:
        async with asyncio.timeout(30):
            await function()
    except Exception as exc:
        print("fail", name, " ".join(f"{type(exc).__name__}: {exc}".split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


async def main():
    wanted = args["checks"].split("|") if "checks" in args else checks
    verdicts = [await run(name, checks[name]) for name in checks if name in wanted]
    return 0 if all(verdicts) else 1


sys.exit(asyncio.run(main()))
