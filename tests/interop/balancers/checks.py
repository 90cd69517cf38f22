#!/usr/bin/env python3
"""Who the client is behind load balancers that send the PROXY protocol, and behind a Unix socket.

usage: checks.py NAME=PORT… announced=URL [checks=NAME|NAME…]

Each NAME is a balancer on its port; `announced` is our server without one.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import json
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

# Neither a balancer's address, which the server trusts, nor what the system would choose.
CLIENT = "127.0.0.7"
CLAIM = {"X-Forwarded-For": "203.0.113.66", "X-Real-IP": "203.0.113.67", "Forwarded": "for=203.0.113.68"}

args = dict(arg.split("=", 1) for arg in sys.argv[1:])


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r}, expected {expected!r}")


def dial(name, path="/request", scheme="ws", **options):
    options = {"local_addr": (CLIENT, 0), "additional_headers": CLAIM} | options
    return connect(f"{scheme}://localhost:{args[name]}{path}", host="127.0.0.1", proxy=None, **options)


async def client_is_seen(name, scheme="ws"):
    async with dial(name, scheme=scheme) as ws:
        same(json.loads(await ws.recv())["client"], CLIENT)
    async with dial(name, "/echo", scheme) as ws:
        for message in ("Grüße", bytes(1_000_000)):
            await ws.send(message)
            same(await ws.recv(), message)


async def refused(connecting, text):
    try:
        async with connecting:
            raise AssertionError("it was accepted")
    except InvalidStatus as refusal:
        same(refusal.response.status_code, 400)
        body = refusal.response.body.decode()
        if text not in body:
            raise AssertionError(f"got {body!r}") from None


async def health():
    def get():
        with urllib.request.urlopen(f"http://127.0.0.1:{args['haproxy-checked']}/page", timeout=5) as response:
            return response.status

    # Long enough for some checks, each a connection on which haproxy speaks for itself (LOCAL).
    await asyncio.sleep(1.5)
    same(await asyncio.to_thread(get), 200)


async def directly():
    options = {"proxy": None, "local_addr": (CLIENT, 0), "additional_headers": CLAIM}
    async with connect(args["announced"] + "/request", **options) as ws:
        same(json.loads(await ws.recv())["client"], CLIENT)


CHECKS = {
    "haproxy, send-proxy": lambda: client_is_seen("haproxy-v1"),
    "haproxy, send-proxy-v2": lambda: client_is_seen("haproxy-v2"),
    "haproxy, send-proxy-v2 before TLS": lambda: client_is_seen("haproxy-tls", "wss"),
    "haproxy, send-proxy-v2 in mode http": lambda: client_is_seen("haproxy-http"),
    "haproxy's health checks": health,
    "haproxy, Forwarded": lambda: client_is_seen("haproxy-forwarded"),
    "a trusted balancer without a header: 400": lambda: refused(dial("haproxy-silent"), "only with a header of the PROXY"),
    "a header of anyone else: 400": lambda: refused(dial("haproxy-stranger"), "PROXY protocol, version 2"),
    "a client without a balancer": directly,
    "nginx, proxy_protocol": lambda: client_is_seen("nginx-stream"),
    "nginx, a Unix socket": lambda: client_is_seen("nginx-unix"),
}


async def run(name):
    try:
        async with asyncio.timeout(30):
            await CHECKS[name]()
    except Exception as exc:
        print("fail", name, " ".join(f"{type(exc).__name__}: {exc}".split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


async def main():
    wanted = args["checks"].split("|") if "checks" in args else CHECKS
    return 0 if all([await run(name) for name in CHECKS if name in wanted]) else 1


sys.exit(asyncio.run(main()))
