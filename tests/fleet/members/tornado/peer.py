import asyncio
import os
import signal
import ssl
import sys

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler, websocket_connect

COMPRESSION = {} if os.environ["FLEET_COMPRESSION"] else None
open_ones = set()


def close(ws, message):
    _, code, reason = message.split(" ", 2)
    ws.close() if code == "1005" else ws.close(int(code), reason)


async def client(url):
    try:
        request = HTTPRequest(url, ca_certs=os.environ["FLEET_CA"])
        ws = await websocket_connect(request, compression_options=COMPRESSION)
    except HTTPClientError as refused:
        print("refused", refused.code)
        return
    while (message := await ws.read_message()) is not None:
        if isinstance(message, str) and message.startswith("close "):
            close(ws, message)
        else:
            await ws.write_message(message, binary=isinstance(message, bytes))
    # None stands for a Close without a code.
    print("closed", ws.close_code or 1005, ws.close_reason or "")


class Echo(WebSocketHandler):
    def get_compression_options(self):
        return COMPRESSION

    def open(self):
        open_ones.add(self)

    def on_message(self, message):
        if isinstance(message, str) and message.startswith("close "):
            close(self, message)
        else:
            self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        open_ones.discard(self)


class Refuse(RequestHandler):
    def get(self):
        self.set_status(403)
        self.write("not today\n")


async def server(port):
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])
    http = HTTPServer(Application([("/refuse", Refuse), ("/.*", Echo)]), ssl_options=context)
    http.listen(port, "127.0.0.1")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for ws in list(open_ones):
        ws.close(1001)
    await asyncio.sleep(0.5)


asyncio.run(client(sys.argv[2]) if sys.argv[1] == "client" else server(int(sys.argv[2])))
