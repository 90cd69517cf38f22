#!/bin/bash
# websocket-client and autobahn drop the parameters of the last path segment from a URL, so another resource is asked for.
#
# Guessed: a client sends the path and the query of a ws:// URL as they are, or in percent-encoding; without a path it sends "/"
#   before the query. A scheme is read in any case of letters.
# Seen: 1. ws://host/room;id=7?x=1 is asked for as /room?x=1 by websocket-client 1.9.2 and autobahn 26.10.2, without a
#      word. websockets 17.4, aiohttp 3.14.5, tornado 6.6.1 and ws 8.23.0 send /room;id=7?x=1.
#   2. ws://host?x=1 is asked for as "?x=1" by simple-websocket 1.1.0, which is no request target: servers answer 400. The others
#      send /?x=1.
#   3. WS://host/ is refused by websocket-client, tornado (KeyError) and ws4py 0.6.0.
# Why it matters: session IDs and matrix parameters behind a semicolon do not arrive, and the server's log shows a
#   path that nobody wrote. Put them into the query. Write "/" before "?", and the scheme in lower case.
# Standard: RFC 6455 section 3 (the path is RFC 3986's, the resource name has the path and the query, "/" for an empty path); RFC 3986
#   section 3.3 (";" is an ordinary character of a segment), section 3.1 (schemes are case-insensitive).
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websocket-client==1.9.2 autobahn==26.10.2 websockets==17.4 aiohttp==3.14.5 tornado==6.6.1 \
  simple-websocket==1.1.0 ws4py==0.6.0
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > websocket_client.py <<'PY'
import sys, websocket
websocket.create_connection(sys.argv[1], timeout=5).close()
PY
cat > autobahn_.py <<'PY'
import asyncio, sys
from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
class P(WebSocketClientProtocol):
    def onClose(self, *a): done.set()
async def main():
    global done; done = asyncio.Event()
    f = WebSocketClientFactory(sys.argv[1]); f.protocol = P
    await asyncio.get_running_loop().create_connection(f, f.host, f.port); await done.wait()
asyncio.run(main())
PY
cat > websockets_.py <<'PY'
import sys
from websockets.sync.client import connect
connect(sys.argv[1], close_timeout=1).close()
PY
cat > aiohttp_.py <<'PY'
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession() as s:
        async with s.ws_connect(sys.argv[1]): pass
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, sys
from tornado.websocket import websocket_connect
async def main(): (await websocket_connect(sys.argv[1])).close()
asyncio.run(main())
PY
cat > simple_websocket_.py <<'PY'
import simple_websocket, sys
simple_websocket.Client(sys.argv[1]).close()
PY
cat > ws4py_.py <<'PY'
import sys
from ws4py.client.threadedclient import WebSocketClient
c = WebSocketClient(sys.argv[1]); c.connect(); c.close()
PY
cat > ws.js <<'JS'
const w = new (require('ws'))(process.argv[2]); w.on('open', () => w.close()); w.on('error', () => {});
JS
cat > ask.py <<'PY'
import base64, hashlib, socket, subprocess, threading
targets = []
def serve(c):
    c.settimeout(5); head = b""
    while b"\r\n\r\n" not in head:
        d = c.recv(4096)
        if not d: return
        head += d
    targets.append(head.split(b" HTTP/1.1")[0].decode())
    key = [l.split(b":", 1)[1].strip() for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key:")][0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    try:
        c.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        c.recv(100); c.sendall(b"\x88\x00")
    except OSError: pass
    c.close()
l = socket.create_server(("127.0.0.1", 0)); port = l.getsockname()[1]
def accept():
    while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
for name in "websocket_client.py", "autobahn_.py", "simple_websocket_.py", "ws4py_.py", "tornado_.py", "websockets_.py", "aiohttp_.py", "ws.js":
    seen = []
    for url in f"ws://127.0.0.1:{port}/room;id=7?x=1", f"ws://127.0.0.1:{port}?x=1", f"WS://127.0.0.1:{port}/":
        targets.clear()
        subprocess.run([*(["node"] if name.endswith(".js") else ["v/bin/python"]), name, url], timeout=30, stderr=subprocess.DEVNULL)
        seen.append(targets[0] if targets else "no request")
    print(f"{name}: {', '.join(seen)}", flush=True)
PY
v/bin/pip list 2>/dev/null | grep -E '^(websocket-client|autobahn|websockets|aiohttp|tornado|simple-websocket|ws4py) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
timeout 300 python3 ask.py > out
cat out
grep -qx 'websocket_client.py: GET /room?x=1, GET /?x=1, no request' out
grep -qx 'autobahn_.py: GET /room?x=1, GET /?x=1, GET /' out
grep -qx 'simple_websocket_.py: GET /room;id=7?x=1, GET ?x=1, GET /' out
for n in ws4py_.py tornado_.py; do grep -qx "$n: GET /room;id=7?x=1, GET /?x=1, no request" out; done
for n in websockets_.py aiohttp_.py ws.js; do grep -qx "$n: GET /room;id=7?x=1, GET /?x=1, GET /" out; done
echo "As described above."
