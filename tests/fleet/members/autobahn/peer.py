import asyncio
import os
import signal
import ssl
import sys

from autobahn.asyncio.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from autobahn.websocket import ConnectionDeny
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)

COMPRESSION = bool(os.environ["FLEET_COMPRESSION"])
open_ones = set()


class Echo:
    def onMessage(self, payload, isBinary):
        if not isBinary and payload.startswith(b"close "):
            _, code, reason = payload.decode().split(" ", 2)
            self.sendClose() if code == "1005" else self.sendClose(int(code), reason)
        else:
            self.sendMessage(payload, isBinary)


class Client(Echo, WebSocketClientProtocol):
    was_open = False

    def onOpen(self):
        self.was_open = True

    def onClose(self, clean, code, reason):
        # None stands for a Close without a code.
        print(f"closed {code or 1005} {reason or ''}" if self.was_open else f"refused {reason}", flush=True)
        asyncio.get_running_loop().stop()


class Server(Echo, WebSocketServerProtocol):
    def onConnect(self, request):
        if request.path == "/refuse":
            raise ConnectionDeny(403, "not today")

    def onOpen(self):
        open_ones.add(self)

    def onClose(self, clean, code, reason):
        open_ones.discard(self)


def offered(offers):
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)


def answered(response):
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
if sys.argv[1] == "client":
    factory = WebSocketClientFactory(sys.argv[2])
    factory.protocol = Client
    if COMPRESSION:
        factory.setProtocolOptions(perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=answered)
    context = ssl.create_default_context(cafile=os.environ["FLEET_CA"]) if factory.isSecure else None
    loop.run_until_complete(loop.create_connection(factory, factory.host, factory.port, ssl=context))
    loop.run_forever()
else:
    factory = WebSocketServerFactory()
    factory.protocol = Server
    if COMPRESSION:
        factory.setProtocolOptions(perMessageCompressionAccept=offered)
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])

    def stop():
        for ws in list(open_ones):
            ws.sendClose(1001)
        loop.call_later(0.5, loop.stop)

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.run_until_complete(loop.create_server(factory, "127.0.0.1", int(sys.argv[2]), ssl=context))
    loop.run_forever()
