import os
import signal
import ssl
import sys

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, open_websocket_url, serve_websocket

open_ones = set()


async def echo(ws):
    try:
        while True:
            message = await ws.get_message()
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await ws.aclose(int(code), reason or None)
            else:
                await ws.send_message(message)
    except ConnectionClosed as closed:
        return closed.reason


async def client(url):
    context = ssl.create_default_context(cafile=os.environ["FLEET_CA"])
    try:
        async with open_websocket_url(url, ssl_context=context if url.startswith("wss") else None) as ws:
            end = await echo(ws)
            print("closed", end.code if end else 1006, end.reason or "" if end else "")
    except ConnectionRejected as refused:
        print("refused", refused.status_code, refused.body)


async def handle(request):
    if request.path == "/refuse":
        await request.reject(403, body=b"not today\n")
        return
    ws = await request.accept()
    open_ones.add(ws)
    await echo(ws)
    open_ones.discard(ws)


async def server(port):
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, handle, "127.0.0.1", port, context)
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                for ws in list(open_ones):
                    await ws.aclose(1001)
                nursery.cancel_scope.cancel()


trio.run(client, sys.argv[2]) if sys.argv[1] == "client" else trio.run(server, int(sys.argv[2]))
