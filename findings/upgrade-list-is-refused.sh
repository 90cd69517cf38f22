#!/bin/bash
# "Upgrade: websocket" must be the whole field for most servers: a list that contains it is refused.
#
# Guessed: Upgrade is a list (like Connection, which all of them parse as a list), so "Upgrade: h2c, websocket", or the two
#   on two lines, opens a WebSocket connection with most servers; two of them (ws, tornado) were thought too strict for it.
# Seen: ws 8.23.0, faye-websocket 0.11.4, aiohttp 3.14.5, tornado 6.6.1, eventlet 0.41.3 (400) and websockets 17.4 (426)
#   refuse both forms. autobahn 26.10.2, granian 2.8.9 (hyper) and npm's websocket 1.0.35 answer 101.
# Why it matters: a client that offers several protocols at once, or a gateway that adds one, reaches a third of the servers.
#   Send "websocket" alone. The refusals blame other things (a missing or an invalid header), which misleads.
# Standard: RFC 6455 section 4.1 (the client's Upgrade field "MUST include the websocket keyword"), section 4.2.1 (the
#   server looks for a field containing the value), RFC 9110 section 7.8 (Upgrade is a list, in order of preference).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 aiohttp==3.14.5 tornado==6.6.1 eventlet==0.41.3 autobahn==26.10.2 granian==2.8.9
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 websocket@1.0.35 >/dev/null
cat > ws.js <<'JS'
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0 });
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > faye-websocket.js <<'JS'
const Socket = require('faye-websocket'), http = require('http').createServer((q, r) => { r.statusCode = 400; r.end(); });
http.on('upgrade', (q, s, head) => {
  if (Socket.isWebSocket(q)) new Socket(q, s, head);
  else s.end('HTTP/1.1 400 Not a WebSocket handshake\r\nContent-Length: 0\r\n\r\n');
});
http.listen(0, '127.0.0.1', () => console.log('PORT ' + http.address().port));
JS
cat > websocket.js <<'JS'
const http = require('http').createServer();
new (require('websocket').server)({ httpServer: http, autoAcceptConnections: true });
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
async def h(q):
    ws = web.WebSocketResponse()
    await ws.prepare(q)
    async for _ in ws: pass
    return ws
async def main():
    app = web.Application(); app.router.add_get("/", h)
    r = web.AppRunner(app); await r.setup()
    await web.TCPSite(r, "127.0.0.1", 0).start()
    print("PORT", r.addresses[0][1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
class H(tornado.websocket.WebSocketHandler):
    def on_message(self, m): pass
async def main():
    socks = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", H)])).add_sockets(socks)
    print("PORT", socks[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
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
cat > autobahn_.py <<'PY'
import asyncio
from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
async def main():
    f = WebSocketServerFactory(); f.protocol = WebSocketServerProtocol
    s = await asyncio.get_running_loop().create_server(f, "127.0.0.1", 0)
    print("PORT", s.sockets[0].getsockname()[1], flush=True)
    await s.serve_forever()
asyncio.run(main())
PY
cat > app.py <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive(); await send({"type": "websocket.accept"}); await receive()
PY
cat > granian_.py <<'PY'
import os, socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]; s.close()
print("PORT", port, flush=True)
os.execv("v/bin/granian", ["granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port), "--no-log", "app:app"])
PY
cat > ask.py <<'PY'
import socket, sys, time
name, port = sys.argv[1], int(sys.argv[2])
for _ in range(100):
    try: socket.create_connection(("127.0.0.1", port), 1).close(); break
    except OSError: time.sleep(0.1)
def ask(*upgrade):
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(8)
    s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" + "".join(f"Upgrade: {u}\r\n" for u in upgrade) + "Connection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    with s: return s.makefile("rb").readline().split()[1].decode()
print(f"{name}: alone {ask('websocket')}, list {ask('h2c, websocket')}, two lines {ask('h2c', 'websocket')}")
PY
port() { for _ in $(seq 100); do grep -q PORT "$1" && break; sleep 0.1; done; sed -n 's/^PORT //p' "$1"; }

v/bin/pip list 2>/dev/null | grep -E '^(websockets|aiohttp|tornado|eventlet|autobahn|granian) '
for m in ws faye-websocket websocket; do
  node -p "'$m ' + JSON.parse(require('fs').readFileSync('node_modules/$m/package.json')).version"
done
for n in ws faye-websocket aiohttp_ tornado_ eventlet_ websockets_ autobahn_ granian_ websocket; do
  if [ -f $n.js ]; then node $n.js > $n.log 2>&1 & PIDS="$PIDS $!"; else v/bin/python $n.py > $n.log 2>&1 & PIDS="$PIDS $!"; fi
  timeout 40 python3 ask.py $n "$(port $n.log)" >> out
done
cat out
for n in ws faye-websocket aiohttp_ tornado_ eventlet_; do grep -qx "$n: alone 101, list 400, two lines 400" out; done
grep -qx "websockets_: alone 101, list 426, two lines 426" out
for n in autobahn_ granian_ websocket; do grep -qx "$n: alone 101, list 101, two lines 101" out; done
echo "As described above."
