#!/usr/bin/env python3
"""A part of the command language of ../README.md over hypercorn, with HTTP/2 only.

usage: http2.py certificates=DIRECTORY
"""

import asyncio
import json
import pathlib
import socket
import sys
import urllib.parse

from hypercorn.asyncio import serve
from hypercorn.config import Config

MIB = 1024 * 1024
stop = asyncio.Event()
# The senders of open connections.
connections = set()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"].removeprefix("lifespan.")
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        return await send({"type": "http.response.body", "body": b"no such path\n"})
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    connections.add(send)
    try:
        query = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
        await COMMANDS[scope["path"]](scope, query, receive, send)
    finally:
        connections.discard(send)


async def messages(receive):
    while (event := await receive())["type"] == "websocket.receive":
        yield event


async def echo(_scope, _query, receive, send):
    async for event in messages(receive):
        text, data = event.get("text"), event.get("bytes")
        await send({"type": "websocket.send"} | ({"text": text} if text is not None else {"bytes": data}))


async def request(scope, _query, receive, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    target = (scope["raw_path"] + b"?" + scope["query_string"]).decode()
    seen = {"target": target, "version": scope["http_version"], "headers": headers}
    await send({"type": "websocket.send", "text": json.dumps(seen)})
    async for _ in messages(receive):
        pass


async def close(_scope, query, _receive, send):
    await send({"type": "websocket.close", "code": int(query["code"]), "reason": query["reason"]})


async def shutdown(_scope, _query, _receive, _send):
    for send in list(connections):
        await send({"type": "websocket.close", "code": 1001, "reason": ""})
    asyncio.get_running_loop().call_later(1, stop.set)


COMMANDS = {"/echo": echo, "/request": request, "/close": close, "/shutdown": shutdown}


async def main():
    certificates = pathlib.Path(dict(arg.split("=", 1) for arg in sys.argv[1:])["certificates"])
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile, config.keyfile = str(certificates / "server.pem"), str(certificates / "server.key")
    config.alpn_protocols = ["h2"]
    config.websocket_max_message_size = 32 * MIB
    config.accesslog, config.errorlog = None, "-"
    print(f"ready main=wss://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await serve(app, config, shutdown_trigger=stop.wait)


asyncio.run(main())
