#!/bin/bash
# Node's ws, engine.io (socket.io) and autobahn answer 400 where RFC 7692 tells them to decline an offer and go on.
#
# Guessed: a server that meets a permessage-deflate offer with a parameter it does not know skips that offer and takes
#   the fallback offer behind it, or does without compression. RFC 7692 gives clients fallback offers for this.
# Seen: with the header "permessage-deflate; x_later, permessage-deflate" (a parameter of tomorrow, then a fallback)
#   ws 8.23.0 (perMessageDeflate on), engine.io 6.6.13 (the same) and autobahn 26.10.2 end the handshake with 400;
#   websockets 17.4, aiohttp 3.14.5, faye-websocket 0.11.4 and eventlet 0.41.3 agree on the fallback.
#   autobahn also answers 400 to two Sec-WebSocket-Extensions lines, the second with a plain "permessage-deflate".
# Why it matters: a client cannot try a new parameter, and a proxy cannot add a line of its own, without losing these
#   servers altogether. A client that offers anything unusual should retry once with a plain offer after a 400.
# Standard: RFC 7692 section 7 (the server MUST decline an offer with an undefined parameter; to decline is not to fail),
#   section 5 (fallback offers), RFC 6455 section 9.1 (the header may be split over several lines).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 aiohttp==3.14.5 autobahn==26.10.2 eventlet==0.41.3
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 engine.io@6.6.13 faye-websocket@0.11.4 permessage-deflate@0.1.7 >/dev/null

cat > ws.js <<'JS'
const { WebSocketServer } = require('ws');
const s = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > engineio.js <<'JS'
const http = require('http').createServer();
require('engine.io').attach(http, { perMessageDeflate: true });
http.listen(0, '127.0.0.1', () => console.log('PORT ' + http.address().port));
JS
cat > faye.js <<'JS'
const Socket = require('faye-websocket'), http = require('http').createServer();
http.on('upgrade', (q, s, head) => new Socket(q, s, head, [], { extensions: [require('permessage-deflate')] }));
http.listen(0, '127.0.0.1', () => console.log('PORT ' + http.address().port));
JS
cat > websockets_.py <<'PY'
import asyncio
from websockets.asyncio.server import serve
async def main():
    async with serve(lambda c: c.wait_closed(), "127.0.0.1", 0) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
PY
cat > aiohttp_.py <<'PY'
import asyncio
from aiohttp import web
async def echo(q):
    ws = web.WebSocketResponse()
    await ws.prepare(q)
    async for _ in ws: pass
    return ws
async def main():
    app = web.Application(); app.router.add_get("/", echo)
    r = web.AppRunner(app); await r.setup()
    await web.TCPSite(r, "127.0.0.1", 0).start()
    print("PORT", r.addresses[0][1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
PY
cat > autobahn_.py <<'PY'
import asyncio
from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
def accept(offers):
    for o in offers:
        if isinstance(o, PerMessageDeflateOffer): return PerMessageDeflateOfferAccept(o)
async def main():
    f = WebSocketServerFactory(); f.protocol = WebSocketServerProtocol
    f.setProtocolOptions(perMessageCompressionAccept=accept)
    s = await asyncio.get_running_loop().create_server(f, "127.0.0.1", 0)
    print("PORT", s.sockets[0].getsockname()[1], flush=True)
    await s.serve_forever()
asyncio.run(main())
PY
cat > eventlet_.py <<'PY'
import eventlet
from eventlet import websocket, wsgi
@websocket.WebSocketWSGI
def app(ws): ws.wait()
s = eventlet.listen(("127.0.0.1", 0))
print("PORT", s.getsockname()[1], flush=True)
wsgi.server(s, app, log_output=False)
PY
cat > ask.py <<'PY'
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
path = "/engine.io/?EIO=4&transport=websocket" if name == "engineio" else "/"
def ask(lines):
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(5)
    s.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
               + "".join(f"Sec-WebSocket-Extensions: {x}\r\n" for x in lines) + "\r\n").encode())
    f = s.makefile("rb")
    status = f.readline().split()[1].decode()
    ext = "no compression"
    while (line := f.readline().strip()):
        if line.lower().startswith(b"sec-websocket-extensions"): ext = line.decode().split(":")[1].split(";")[0].strip()
    s.close()
    return status + (" " + ext if status == "101" else "")
print(f"{name:12} plain: {ask(['permessage-deflate']):24} fallback: {ask(['permessage-deflate; x_later, permessage-deflate']):24}"
      f" two lines: {ask(['x-other', 'permessage-deflate'])}")
PY
port() { for _ in $(seq 100); do grep -q PORT "$1" && break; sleep 0.1; done; sed -n 's/^PORT //p' "$1"; }

v/bin/pip list 2>/dev/null | grep -E '^(websockets|aiohttp|autobahn|eventlet) '
for m in ws engine.io faye-websocket; do
  node -p "'$m ' + JSON.parse(require('fs').readFileSync('node_modules/$m/package.json')).version"
done
for n in ws engineio faye websockets_ aiohttp_ autobahn_ eventlet_; do
  if [ -f $n.js ]; then node $n.js > $n.log 2>&1 & PIDS="$PIDS $!"; else v/bin/python $n.py > $n.log 2>&1 & PIDS="$PIDS $!"; fi
  timeout 20 python3 ask.py $n "$(port $n.log)" >> out
done
cat out
for n in ws engineio autobahn_; do grep -Eq "^$n +plain: 101 permessage-deflate +fallback: 400 " out; done
for n in faye websockets_ aiohttp_ eventlet_; do grep -Eq "^$n +.*fallback: 101 permessage-deflate " out; done
grep -Eq "^autobahn_ .*two lines: 400" out
grep -Eq "^ws .*two lines: 101 permessage-deflate" out
echo "As described above."
