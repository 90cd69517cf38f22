#!/bin/bash
# Tornado 6.6.1 loses the parameters "server_no_context_takeover" and "client_no_context_takeover".
#
# Guessed: Tornado, which has had permessage-deflate for ten years, honours both parameters: it repeats them in its
#   answer as a server, and as a client it resets its compressor for each message when the server asks for that.
# Seen (tornado 6.6.1, ws 8.23.0, websockets 17.4): a parameter without "=value" is dropped while the header is parsed.
#   1. Tornado's client, compression_options={}, with a `ws` server that answers "client_no_context_takeover": the
#      first message arrives, the second ends the connection on the server with "invalid distance too far back".
#   2. Tornado's server is offered "server_no_context_takeover": it answers "permessage-deflate" alone and goes on
#      to use the window of earlier messages, so the second message cannot be inflated without the first.
#   3. A `websockets` client that asks for it therefore refuses the handshake.
# Why it matters: many Go servers answer with these two parameters always, and servers use client_no_context_takeover
#   to save 32 KiB a connection. A Tornado (Jupyter, Bokeh) client behind such a setting breaks at its second message.
# Standard: RFC 7692 section 7.1.1.1 (a server that accepts the offer includes the parameter and does not use context
#   takeover) and 7.1.1.2 (a client that gets it in the answer MUST NOT use context takeover).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile tornado==6.6.1 websockets==17.4
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null

cat > server.js <<'JS'
const { WebSocketServer } = require('ws');
const s = new WebSocketServer({ host: '127.0.0.1', port: 0,
  perMessageDeflate: { threshold: 0, clientNoContextTakeover: true } });
s.on('listening', () => console.log('PORT ' + s.address().port));
s.on('connection', (w) => {
  w.on('error', (e) => console.log('error: ' + e.message));
  w.on('message', (m) => { console.log('got: ' + m); w.send(String(m)); });
});
JS
cat > client.py <<'PY'
import asyncio, sys
from tornado.websocket import WebSocketClosedError, websocket_connect

async def main():
    c = await websocket_connect(f"ws://127.0.0.1:{sys.argv[1]}/", compression_options={})
    for i in (1, 2, 3):
        try:
            await c.write_message("the same text, the same text")
            answer = await asyncio.wait_for(c.read_message(), 5)
        except WebSocketClosedError:
            answer = None
        print(f"tornado client, message {i}:", answer if answer else "connection lost", flush=True)

asyncio.run(main())
PY
cat > server.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket

class Echo(tornado.websocket.WebSocketHandler):
    def get_compression_options(self): return {}
    def on_message(self, m): self.write_message(m)

async def main():
    socks = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", Echo)])).add_sockets(socks)
    print("PORT", socks[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
PY
cat > peer.py <<'PY'
import asyncio, sys, zlib, socket, os
from websockets.asyncio.client import connect
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate

port = int(sys.argv[1])
s = socket.create_connection(("127.0.0.1", port), 5)
s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n").encode())
f = s.makefile("rb")
while (line := f.readline().strip()):
    if line.lower().startswith(b"sec-websocket-extensions"):
        print("offer 'permessage-deflate; server_no_context_takeover' ->", line.decode().split(": ")[1])
text = b"the same text, the same text"
for i in (1, 2):
    key = os.urandom(4)
    s.sendall(bytes([0x81, 0x80 | len(text)]) + key + bytes(c ^ key[n % 4] for n, c in enumerate(text)))
    head = f.read(2)
    data = f.read(head[1])
    try:
        got = zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff").decode()
    except zlib.error as e:
        got = f"cannot be inflated by itself ({e})"
    print(f"tornado server, message {i}: {len(data)} bytes, {got}")

async def main():
    try:
        async with connect(f"ws://127.0.0.1:{port}/", compression=None,
                           extensions=[Deflate(server_no_context_takeover=True)]):
            print("websockets client: connected")
    except NegotiationError as e:
        print("websockets client: refused:", e)

asyncio.run(main())
PY
port() { for _ in $(seq 100); do grep -q PORT "$1" && break; sleep 0.1; done; sed -n 's/^PORT //p' "$1"; }

v/bin/pip list 2>/dev/null | grep -E '^(tornado|websockets) '
node -p '"ws " + require("ws/package.json").version'
node server.js > ws.log & PIDS="$PIDS $!"
timeout 30 v/bin/python client.py "$(port ws.log)" > client.log 2>/dev/null
v/bin/python server.py > tornado.log & PIDS="$PIDS $!"
timeout 30 v/bin/python peer.py "$(port tornado.log)" > peer.log
sed 's/^/  ws server: /' ws.log
cat client.log peer.log

grep -qx 'error: invalid distance too far back' ws.log
[ "$(grep -c '^got' ws.log)" = 1 ]
grep -qx 'tornado client, message 2: connection lost' client.log
grep -q -- "-> permessage-deflate$" peer.log
grep -q 'message 2: .*cannot be inflated by itself' peer.log
grep -q 'websockets client: refused' peer.log
echo "As described above."
