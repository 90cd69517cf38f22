import os
import sys

import websocket

opened = []


def message(ws, data):
    if isinstance(data, str) and data.startswith("close "):
        _, code, reason = data.split(" ", 2)
        ws.close(status=int(code), reason=reason.encode())
    else:
        ws.send(data, websocket.ABNF.OPCODE_TEXT if isinstance(data, str) else websocket.ABNF.OPCODE_BINARY)


def error(_ws, error):
    if isinstance(error, websocket.WebSocketBadStatusException):
        print("refused", error.status_code, flush=True)


def close(_ws, code, reason):
    if opened:
        # None stands for a Close without a code.
        print("closed", code or 1005, reason or "", flush=True)


app = websocket.WebSocketApp(sys.argv[2], on_open=opened.append, on_message=message, on_error=error, on_close=close)
app.run_forever(sslopt={"ca_certs": os.environ["FLEET_CA"]})
