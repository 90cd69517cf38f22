#!/bin/bash
# aiohttp's server reads the first Sec-WebSocket-Protocol and Sec-WebSocket-Extensions line and ignores the others.
#
# Guessed: "a" and "b" on two lines mean the same as "a, b" on one, for every server.
# Seen (aiohttp 3.14.5 against websockets 17.4, tornado 6.6.1 and ws 8.23.0): a client offers subprotocol "a" on one line
#   and "b" on the next, the server supports "b" only. The others choose "b"; aiohttp answers 101 without a subprotocol.
#   Likewise "Sec-WebSocket-Extensions: x-other" and, on a second line, "permessage-deflate": the others agree on
#   compression, aiohttp does not. With the two on one line aiohttp agrees as well.
# Why it matters: clients and gateways may send one line for each offer (those that build on HTTP/2 or on a map with lists
#   do so). With aiohttp the connection opens all the same, and speaks without the protocol that the application needs.
#   Put all offers on one line, and treat a 101 without the subprotocol as a failure.
# Standard: RFC 6455 section 11.3.4 and 11.3.2 (the field MAY appear several times in a request, which is logically the
#   same as one field with all values), section 9.1.
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile aiohttp==3.14.5 websockets==17.4 tornado==6.6.1
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > ws.js <<'JS'
const { WebSocketServer } = require('ws');
const s = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true,
  handleProtocols: (offered) => offered.has('b') && 'b' });
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > websockets_.py <<'PY'
import asyncio
from websockets.asyncio.server import serve
async def main():
    async with serve(lambda c: c.wait_closed(), "127.0.0.1", 0, select_subprotocol=lambda c, p: "b" if "b" in p else None) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
class H(tornado.websocket.WebSocketHandler):
    def get_compression_options(self): return {}
    def select_subprotocol(self, offered): return "b" if "b" in offered else None
    def on_message(self, m): pass
async def main():
    socks = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", H)])).add_sockets(socks)
    print("PORT", socks[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
PY
cat > aiohttp_.py <<'PY'
import asyncio
from aiohttp import web
async def h(q):
    ws = web.WebSocketResponse(protocols=["b"])
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
cat > ask.py <<'PY'
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
def ask(*lines):
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(5)
    s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
               + "".join(f"Sec-WebSocket-{x}\r\n" for x in lines) + "\r\n").encode())
    f = s.makefile("rb")
    assert b" 101" in f.readline()
    got = "nothing"
    while (line := f.readline().strip().decode()):
        k, v = line.split(":", 1)
        if k.lower() in ("sec-websocket-protocol", "sec-websocket-extensions"): got = v.split(";")[0].strip()
    s.close()
    return got
print(f"{name}: one line: {ask('Protocol: a, b')}, {ask('Extensions: x-other, permessage-deflate')};"
      f" two lines: {ask('Protocol: a', 'Protocol: b')}, {ask('Extensions: x-other', 'Extensions: permessage-deflate')}")
PY
port() { for _ in $(seq 100); do grep -q PORT "$1" && break; sleep 0.1; done; sed -n 's/^PORT //p' "$1"; }

v/bin/pip list 2>/dev/null | grep -E '^(websockets|aiohttp|tornado) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
for n in aiohttp_ websockets_ tornado_ ws; do
  if [ -f $n.js ]; then node $n.js > $n.log 2>&1 & PIDS="$PIDS $!"; else v/bin/python $n.py > $n.log 2>&1 & PIDS="$PIDS $!"; fi
  timeout 20 python3 ask.py $n "$(port $n.log)" >> out
done
cat out
for n in aiohttp_ websockets_ tornado_ ws; do grep -q "^$n: one line: b, permessage-deflate" out; done
for n in websockets_ tornado_ ws; do grep -q "^$n: .*two lines: b, permessage-deflate$" out; done
grep -q '^aiohttp_: .*two lines: nothing, nothing$' out
echo "As described above."
