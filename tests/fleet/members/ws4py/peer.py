import os
import sys

from ws4py.client.threadedclient import WebSocketClient
from ws4py.exc import HandshakeError


class Echo(WebSocketClient):
    def received_message(self, message):
        text = message.data.decode() if not message.is_binary else ""
        if text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            self.close(int(code), reason)
        else:
            self.send(message.data, message.is_binary)

    def closed(self, code, reason=None):
        print("closed", code, (reason.decode() if isinstance(reason, bytes) else reason) or "", flush=True)


ws = Echo(sys.argv[2], ssl_options={"ca_certs": os.environ["FLEET_CA"]})
try:
    ws.connect()
    ws.run_forever()
except HandshakeError as refused:
    print("refused", refused, flush=True)
