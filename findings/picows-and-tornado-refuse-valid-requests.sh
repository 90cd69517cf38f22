#!/bin/bash
# A picows server refuses every Connection but "Upgrade" alone, and Tornado does not find what an absolute target names.
#
# Guessed: a server accepts "Connection: keep-alive, Upgrade", which Firefox was thought to send (153.8.0esr, run for this,
#   sends "Upgrade"), and "GET http://host/path HTTP/1.1", which HTTP/1.1 obliges every server to accept.
# Seen: 1. picows 2.3.1 answers 400 to "keep-alive, Upgrade", to "TE, Upgrade" and to the two options on two lines.
#   2. tornado 6.6.1 (Jupyter, Bokeh) looks for a handler of the whole "http://host/": 404.
#   ws 8.23.0, websockets 17.4 and aiohttp 3.14.5 answer 101 to all four.
# Why it matters: tests with current browsers pass; a client with another HTTP library (SWI-Prolog 9.0.4 sends "Keep-alive,
#   Upgrade"), or a forwarder that keeps the absolute form, gets a refusal that looks like a wrong path or a bad client.
# Standard: RFC 6455 section 4.2.1 (Connection "that includes the token" Upgrade), RFC 9110 section 7.6.1 (Connection is a list),
#   RFC 9112 section 3.2.2 (a server MUST accept the absolute form).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile picows==2.3.1 websockets==17.4 aiohttp==3.14.5 tornado==6.6.1
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > ws.js <<'JS'
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0 });
s.on('connection', c => c.on('error', () => {}));
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > picows_.py <<'PY'
import asyncio, picows
async def main():
    s = await picows.ws_create_server(lambda request: picows.WSListener(), "127.0.0.1", 0)
    print("PORT", s.sockets[0].getsockname()[1], flush=True); await s.serve_forever()
asyncio.run(main())
PY
cat > websockets_.py <<'PY'
import asyncio
from websockets.asyncio.server import serve
async def main():
    async with serve(lambda c: c.wait_closed(), "127.0.0.1", 0) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True); await asyncio.Event().wait()
asyncio.run(main())
PY
cat > aiohttp_.py <<'PY'
import asyncio
from aiohttp import web
async def h(q):
    ws = web.WebSocketResponse(); await ws.prepare(q)
    async for _ in ws: pass
    return ws
async def main():
    app = web.Application(); app.router.add_get("/", h)
    r = web.AppRunner(app); await r.setup(); await web.TCPSite(r, "127.0.0.1", 0).start()
    print("PORT", r.addresses[0][1], flush=True); await asyncio.Event().wait()
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
class H(tornado.websocket.WebSocketHandler):
    def on_message(self, m): pass
async def main():
    socks = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", H)])).add_sockets(socks)
    print("PORT", socks[0].getsockname()[1], flush=True); await asyncio.Event().wait()
asyncio.run(main())
PY
cat > ask.py <<'PY'
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
HOST = f"127.0.0.1:{port}"
UPGRADE = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
def ask(connection, target="/"):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{connection}{UPGRADE}\r\n".encode())
        return s.makefile("rb").readline().split()[1].decode()
ALONE, LIST, TE = "Connection: Upgrade\r\n", "Connection: keep-alive, Upgrade\r\n", "TE: trailers\r\nConnection: TE, Upgrade\r\n"
LINES = "Connection: keep-alive\r\nConnection: Upgrade\r\n"
print(f"{name}: alone {ask(ALONE)}, list {ask(LIST)}, te {ask(TE)}, lines {ask(LINES)}, absolute {ask(ALONE, f'http://{HOST}/')}")
PY
v/bin/pip list 2>/dev/null | grep -E '^(picows|websockets|aiohttp|tornado) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
for n in picows_.py websockets_.py aiohttp_.py tornado_.py ws.js; do
  case $n in *.py) v/bin/python $n > $n.log 2>/dev/null & ;; *) node $n > $n.log 2>&1 & ;; esac
  PIDS="$PIDS $!"
  for _ in $(seq 100); do grep -q PORT $n.log && break; sleep 0.1; done
  timeout 30 python3 ask.py ${n%.*} "$(sed -n 's/^PORT //p' $n.log)" >> out
done
cat out
grep -qx "picows_: alone 101, list 400, te 400, lines 400, absolute 101" out
grep -qx "tornado_: alone 101, list 101, te 101, lines 101, absolute 404" out
for n in websockets_ aiohttp_ ws; do grep -qx "$n: alone 101, list 101, te 101, lines 101, absolute 101" out; done
echo "As described above."
