import asyncio
import os
import signal
import ssl
import sys

from picows import WSCloseCode, WSListener, WSMsgType, WSUpgradeResponseWithListener, WSUpgradeResponse, ws_connect, ws_create_server

open_ones = set()


class Echo(WSListener):
    end = None

    def on_ws_connected(self, transport):
        open_ones.add(transport)

    def on_ws_disconnected(self, transport):
        open_ones.discard(transport)

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            code, reason = frame.get_close_code(), frame.get_close_message()
            reason = (reason or b"").decode() if isinstance(reason, bytes) else reason or ""
            self.end = (int(code) or 1005, reason)
            if int(code):
                transport.send_close(code, reason.encode())
            else:
                transport.send_close()
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and frame.get_payload_as_bytes().startswith(b"close "):
            _, code, reason = frame.get_payload_as_utf8_text().split(" ", 2)
            transport.send_close() if code == "1005" else transport.send_close(int(code), reason.encode())
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


async def client(url):
    context = ssl.create_default_context(cafile=os.environ["FLEET_CA"])
    transport, listener = await ws_connect(Echo, url, ssl_context=context if url.startswith("wss") else None)
    await transport.wait_disconnected()
    print("closed", *(listener.end or (1006, "")))


def answer(request):
    if request.path == b"/refuse":
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(403, b"not today\n"), None)
    return Echo()


async def server(port):
    context = None
    if os.environ["FLEET_TLS"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["FLEET_CERT"], os.environ["FLEET_KEY"])
    await ws_create_server(answer, "127.0.0.1", port, ssl=context)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for transport in list(open_ones):
        transport.send_close(WSCloseCode.GOING_AWAY)
    await asyncio.sleep(0.5)


asyncio.run(client(sys.argv[2]) if sys.argv[1] == "client" else server(int(sys.argv[2])))
