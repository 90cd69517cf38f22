#!/usr/bin/env python3
"""The interop test server over Python `websockets`: the command language of ../README.md.

usage: server.py [certificates=DIRECTORY], with them over TLS
"""

import asyncio
import http
import json
import pathlib
import signal
import ssl
import sys
import urllib.parse

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

MIB = 1024 * 1024
PINGS = [b"", b"are you there?", b"\xff" * 125]

# How each connection that carried an id ended: id -> future of {"code", "reason"}.
endings = {}
stop = None


def ending(key):
    return endings.setdefault(key, asyncio.get_running_loop().create_future())


async def handle(ws):
    url = urllib.parse.urlsplit(ws.request.path)
    query = dict(urllib.parse.parse_qsl(url.query))
    try:
        await COMMANDS[url.path](ws, query)
    except ConnectionClosed:
        pass
    finally:
        if "id" in query and url.path != "/seen":
            asyncio.create_task(record(ws, ending(query["id"])))


async def record(ws, future):
    # The handler's own failure becomes a Close only after it returns, so this waits in a task of its own.
    await ws.wait_closed()
    future.set_result({"code": ws.close_code, "reason": ws.close_reason or ""})


async def echo(ws, _query):
    async for message in ws:
        await ws.send(message)


async def fragments(ws, query):
    size = int(query["size"])
    async for message in ws:
        text = isinstance(message, str)
        payload = message.encode() if text else message
        # Cut at any byte, so a code point may straddle two frames.
        await ws.send([payload[i : i + size] for i in range(0, len(payload), size)] or [b""], text=text)


async def count(ws, _query):
    while True:
        parts = [part async for part in ws.recv_streaming()]
        await ws.send(str(len(parts)))


async def send(ws, query):
    size = int(query["size"])
    await ws.send("x" * size if query["kind"] == "text" else bytes(size))
    await ws.wait_closed()


async def ping(ws, _query):
    await ws.pong(b"nobody asked")
    latencies = []
    for payload in PINGS:
        # Resolves only when a pong with this very payload arrives.
        latencies.append(await asyncio.wait_for(await ws.ping(payload), 10))
    await ws.send(json.dumps({"microseconds": [round(latency * 1e6) for latency in latencies]}))
    await ws.wait_closed()


async def request(ws, _query):
    headers = {name.lower(): value for name, value in ws.request.headers.raw_items()}
    await ws.send(json.dumps({"target": ws.request.path, "headers": headers, "subprotocol": ws.subprotocol}))
    await ws.wait_closed()


async def close(ws, query):
    await ws.close(int(query["code"]) if "code" in query else None, query.get("reason", ""))


async def fail(_ws, _query):
    raise RuntimeError("this handler fails on purpose")


async def seen(ws, query):
    await ws.send(json.dumps(await asyncio.wait_for(ending(query["id"]), 15)))
    await ws.wait_closed()


async def shutdown(ws, _query):
    stop.set()
    await ws.wait_closed()


COMMANDS = {
    "/echo": echo,
    "/fragments": fragments,
    "/count": count,
    "/send": send,
    "/ping": ping,
    "/request": request,
    "/close": close,
    "/fail": fail,
    "/seen": seen,
    "/shutdown": shutdown,
}


def answer_http(ws, request):
    path = urllib.parse.urlsplit(request.path).path
    if path == "/page":
        response = ws.respond(http.HTTPStatus.OK, "<!doctype html><title>interop</title><p>A page, not a socket.\n")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response
    if path == "/refuse":
        response = ws.respond(http.HTTPStatus.UNAUTHORIZED, "no entry\n")
        response.headers["WWW-Authenticate"] = 'Basic realm="interop"'
        return response
    if path not in COMMANDS:
        return ws.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    return None


def mark(_ws, _request, response):
    response.headers["X-Served-By"] = "websockets"


def secured(listeners, directory):
    """The listeners over TLS, and some whose certificates are not as they should be."""

    def context(name):
        settings = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        settings.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
        return settings

    mutual = context("server")
    mutual.verify_mode = ssl.CERT_REQUIRED
    mutual.load_verify_locations(directory / "ca.pem")
    plain, contexts = listeners["main"], {"mutual": mutual}
    contexts |= {name: context(name) for name in ("expired", "early", "misnamed", "stranger")}
    good = {name: options | {"ssl": context("server")} for name, options in listeners.items()}
    return good | {name: plain | {"ssl": settings} for name, settings in contexts.items()}


async def main():
    global stop
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)

    common = {"process_request": answer_http, "process_response": mark, "max_size": 32 * MIB, "compression": None}
    no_takeover = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    listeners = {
        "main": common,
        "limited": common | {"max_size": MIB, "compression": "deflate"},
        "guarded": common | {"origins": ["https://allowed.example"], "subprotocols": ["chat.v2", "chat.v1"]},
        "deflate": common | {"compression": "deflate"},
        "alone": common | {"extensions": [no_takeover]},
    }
    certificates = [arg.removeprefix("certificates=") for arg in sys.argv[1:]]
    if certificates:
        listeners = secured(listeners, pathlib.Path(certificates[0]))
    scheme = "wss" if certificates else "ws"
    servers = {name: await serve(handle, "127.0.0.1", 0, **options) for name, options in listeners.items()}
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
    urls = {name: f"{scheme}://127.0.0.1:{port}" for name, port in ports.items()}
    urls["count"] = urls["main"]
    print("ready", *(f"{name}={url}" for name, url in urls.items()), flush=True)

    await stop.wait()
    for server in servers.values():
        server.close()
    await asyncio.gather(*(server.wait_closed() for server in servers.values()))


asyncio.run(main())
