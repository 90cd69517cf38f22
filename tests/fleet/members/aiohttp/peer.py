import asyncio
import os
import signal
import ssl
import sys

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web

COMPRESSION = bool(os.environ["FLEET_COMPRESSION"])
open_ones = set()


async def echo(ws):
    async for message in ws:
        if message.type is WSMsgType.TEXT and message.data.startswith("close "):
            _, code, reason = message.data.split(" ", 2)
            await ws.close(code=int(code), message=reason.encode())
        elif message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)


async def client(url):
    context = ssl.create_default_context(cafile=os.environ["FLEET_CA"])
    async with ClientSession() as session:
        try:
            async with session.ws_connect(url, compress=15 if COMPRESSION else 0, ssl=context) as ws:
                await echo(ws)
                print("closed", ws.close_code, "-")
        except WSServerHandshakeError as refused:
            print("refused", refused.status)


async def handle(request):
    if request.path == "/refuse":
        return web.Response(status=403, text="not today\n")
    ws = web.WebSocketResponse(compress=COMPRESSION)
    await ws.prepare(request)
    open_ones.add(ws)
    await echo(ws)
    open_ones.discard(ws)
    return ws


async def server(port):
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for ws in list(open_ones):
        await ws.close(code=1001)
    await runner.cleanup()


asyncio.run(client(sys.argv[2]) if sys.argv[1] == "client" else server(int(sys.argv[2])))
