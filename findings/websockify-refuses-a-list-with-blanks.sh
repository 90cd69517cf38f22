#!/bin/bash
# websockify compares subprotocols without trimming: "base64, binary" gets 400, "base64,binary" is answered with binary.
#
# Guessed: "a, b" and "a,b" are the same list for every server, as every browser and most libraries send the blank.
# Seen (websockify 0.13.0, against tornado 6.6.1, daphne 4.2.3, hypercorn 0.18.0 and eventlet 0.41.3, all with "binary"):
#   the others choose "binary" from "base64, binary", "base64,binary", "base64 ,binary" and with a tab behind the comma.
#   websockify answers 400 "Invalid protocol selected" to the first and the last, and 101 with binary to the other two.
#   With "binary" first, "binary, base64" opens.
# Why it matters: noVNC once offered both names, and gateways and clients for VNC still do. The new WebSocket(url, ["base64",
#   "binary"]) of a browser sends the blank. Offer websockify "binary" alone, or first in the list.
# Standard: RFC 6455 section 4.1 item 10 and 11.3.4 (1#token), RFC 9110 section 5.6.1 (optional whitespace around commas).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websockify==0.13.0 tornado==6.6.1 daphne==4.2.3 hypercorn==0.18.0 eventlet==0.41.3
cat > app.py <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    await receive()
    chosen = "binary" if "binary" in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    await receive()
PY
cat > tornado_.py <<'PY'
import asyncio, sys, tornado.web, tornado.websocket
class Handler(tornado.websocket.WebSocketHandler):
    def select_subprotocol(self, offered): return "binary" if "binary" in offered else None
    def on_message(self, message): pass
async def main():
    tornado.web.Application([("/", Handler)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
PY
cat > eventlet_.py <<'PY'
import sys, eventlet, eventlet.websocket, eventlet.wsgi
@eventlet.websocket.WebSocketWSGI.configured(supported_protocols=["binary"])
def handler(ws): ws.wait()
eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1]))), handler, log_output=False)
PY
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
start() { "$@" >/dev/null 2>&1 & PIDS="$PIDS $!"; }
W=$(free); start v/bin/websockify "127.0.0.1:$W" 127.0.0.1:9
O=$(free); start v/bin/python tornado_.py "$O"
D=$(free); start v/bin/daphne -b 127.0.0.1 -p "$D" app:app
H=$(free); start v/bin/hypercorn -b "127.0.0.1:$H" app:app
E=$(free); start v/bin/python eventlet_.py "$E"
cat > ask.py <<'PY'
import socket, sys, time
offers = ["base64, binary", "base64,binary", "base64 ,binary", "base64,\tbinary", "binary, base64"]
def ask(port, offer):
    for _ in range(300):
        try: c = socket.create_connection(("127.0.0.1", port)); break
        except OSError: time.sleep(0.1)
    c.settimeout(20)
    c.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
              f"AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {offer}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head and (more := c.recv(4096)): head += more
    c.close()
    lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    chosen = [line.split(":")[1].strip() for line in lines if line.lower().startswith("sec-websocket-protocol")]
    return lines[0].split()[1], chosen
opened, refused = ("101", ["binary"]), ("400", [])
failed = False
for name, port in zip(["websockify", "tornado", "daphne", "hypercorn", "eventlet"], map(int, sys.argv[1:])):
    seen = [ask(port, offer) for offer in offers]
    expected = [refused, opened, opened, refused, opened] if name == "websockify" else [opened] * 5
    for offer, answer in zip(offers, seen): print(f"{name:10} {offer!r:20} -> {answer[0]} {' '.join(answer[1])}")
    failed |= seen != expected
sys.exit("changed" if failed else 0)
PY
v/bin/python ask.py "$W" "$O" "$D" "$H" "$E"
echo "as stated"
