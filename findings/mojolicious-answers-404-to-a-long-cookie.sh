#!/bin/bash
# To a handshake with a Cookie line above 8 KiB Mojolicious answers 404, as if the route did not exist.
#
# Guessed: a server that limits the lines of a request says so, by 431 or 400.
# Seen, with a Cookie of 5,000, 9,000 and 20,000 bytes:
#   1. Mojolicious 9.31: 101, 404, 404, with the page of an unknown route. With MOJO_MAX_LINE_SIZE=32768 in its environment:
#      101 three times.
#   2. websockets 17.4: 101, 431, 431. ws 8.23.0: 101, 101, 431. aiohttp 3.14.5 and eventlet 0.41.3: 101, 400, 400. tornado
#      6.6.1: 101 three times.
# Why it matters: cookies grow with sign-on tokens, so some users get 404 on an address that is right, and the routes and the
#   proxy are searched for the error. Set MOJO_MAX_LINE_SIZE; take a 404 that only some users get for a limit.
# Standard: RFC 6585 section 5 (431, also for one field that is too large); RFC 9110 section 15.5.5 (404: no representation was found
#   for the target).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
install() { apt-get install -y --no-install-recommends libmojolicious-perl=9.31+dfsg-1 >apt.log 2>&1; }
install || { apt-get update -qq && install; } || { tail -3 apt.log; exit 1; }
perl -MMojolicious -e 'print "Mojolicious ", Mojolicious->VERSION, "\n"'
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 tornado==6.6.1 eventlet==0.41.3 aiohttp==3.14.5
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > mojolicious.pl <<'PL'
use Mojolicious::Lite; use Mojo::Server::Daemon; use Mojo::IOLoop;
websocket '/' => sub { $_[0]->on(message => sub { }) };
app->log->level('fatal');
my $d = Mojo::Server::Daemon->new(app => app, listen => ['http://127.0.0.1:0'], silent => 1); $d->start;
$| = 1; print 'PORT ', $d->ports->[0], "\n"; Mojo::IOLoop->start;
PL
cat > websockets_.py <<'PY'
import asyncio, websockets
async def wait(w): await w.wait_closed()
async def main():
    async with websockets.serve(wait, "127.0.0.1", 0) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
class Wait(tornado.websocket.WebSocketHandler):
    def on_message(self, m): pass
async def main():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", Wait)])).add_sockets(sockets)
    print("PORT", sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > eventlet_.py <<'PY'
import eventlet
from eventlet import websocket, wsgi
@websocket.WebSocketWSGI
def wait(w):
    while w.wait() is not None: pass
s = eventlet.listen(("127.0.0.1", 0)); print("PORT", s.getsockname()[1], flush=True); wsgi.server(s, wait, log_output=False)
PY
cat > aiohttp_.py <<'PY'
import asyncio
from aiohttp import web
async def wait(request):
    w = web.WebSocketResponse(); await w.prepare(request)
    async for m in w: pass
    return w
async def main():
    a = web.Application(); a.router.add_get("/", wait); r = web.AppRunner(a); await r.setup()
    s = web.TCPSite(r, "127.0.0.1", 0); await s.start()
    print("PORT", s._server.sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > ws.js <<'JS'
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0 });
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > ask.py <<'PY'
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
def ask(size):
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(5)
    s.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{UPGRADE}Cookie: s={'x' * size}\r\n\r\n".encode())
    return s.recv(65536).decode()
print(f"{name}:", *(ask(n).split()[1] for n in (5000, 9000, 20000)), flush=True)
PY
v/bin/pip list 2>/dev/null | grep -E '^(websockets|tornado|eventlet|aiohttp) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
cp mojolicious.pl long.pl
for n in mojolicious.pl long.pl websockets_.py ws.js aiohttp_.py eventlet_.py tornado_.py; do
  case $n in long.pl) MOJO_MAX_LINE_SIZE=32768 perl $n > $n.log 2>&1 & ;; *.py) v/bin/python $n > $n.log 2>/dev/null & ;; *.pl) perl $n > $n.log 2>&1 & ;; *) node $n > $n.log 2>&1 & ;; esac
  PIDS="$PIDS $!"
  for _ in $(seq 200); do grep -q PORT $n.log && break; sleep 0.1; done
  timeout 40 python3 ask.py $n "$(sed -n 's/^PORT //p' $n.log)" >> out
done
cat out
grep -qx 'mojolicious.pl: 101 404 404' out
grep -qx 'long.pl: 101 101 101' out
grep -qx 'websockets_.py: 101 431 431' out
grep -qx 'ws.js: 101 101 431' out
for n in aiohttp_.py eventlet_.py; do grep -qx "$n: 101 400 400" out; done
grep -qx 'tornado_.py: 101 101 101' out
echo "As described above."
