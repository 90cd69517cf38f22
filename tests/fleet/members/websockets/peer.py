import asyncio
import http
import os
import signal
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

COMPRESSION = "deflate" if os.environ["FLEET_COMPRESSION"] else None


async def echo(ws):
    try:
        async for message in ws:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                if code == "1005":
                    await ws.close(None)
                else:
                    await ws.close(int(code), reason)
            else:
                await ws.send(message)
    except ConnectionClosed:
        pass


async def client(url):
    try:
        async with connect(url, compression=COMPRESSION, proxy=None) as ws:
            await echo(ws)
            await ws.wait_closed()
            print("closed", ws.close_code, ws.close_reason)
    except InvalidStatus as refused:
        print("refused", refused.response.status_code, refused.response.body)


def refuse(ws, request):
    if request.path == "/refuse":
        return ws.respond(http.HTTPStatus.FORBIDDEN, "not today\n")


async def server(port):
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(echo, "127.0.0.1", port, compression=COMPRESSION, process_request=refuse, ssl=context):
        await stop.wait()


asyncio.run(client(sys.argv[2]) if sys.argv[1] == "client" else server(int(sys.argv[2])))
