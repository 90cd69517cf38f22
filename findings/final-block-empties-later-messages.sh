#!/bin/bash
# After one compressed message that ends with a final DEFLATE block, six libraries deliver each later one as an empty message.
#
# Guessed: the libraries inflate the octets that RFC 7692 prints as examples; at worst one refuses the example with BFINAL
#   set, by a Close 1007.
# Seen: the peer sends "Hello" four times, with context takeover: as in the first example, with BFINAL set, and twice more as in the
#   first. No message refers to one before it.
#   1. websockets 17.4, tornado 6.6.1, autobahn 26.10.2, eventlet 0.41.3, faye-websocket 0.11.4 with permessage-deflate 0.1.7 as
#      servers, undici 7.30.2 as a client: the application gets "Hello", "Hello", "", "". No error, and the connection stays
#      open. Their inflater has ended, and gives nothing for further input.
#   2. simple-websocket 1.1.0 (wsproto 1.3.2): refuses the third message, by a Close 1007 or the end of TCP alone.
#   3. Mojolicious 9.31 with_compression: closes at the message with BFINAL, with 1009, "too big", for five bytes.
#   4. ws 8.23.0 and aiohttp 3.14.5 deliver all four.
# Why it matters: a peer that ends its DEFLATE stream with each message is right by the RFC, and its first message arrives, so the
#   loss looks like an application that sends empty messages. Flush compressed messages with an empty stored block (zlib's
#   Z_SYNC_FLUSH), never with a final block (Z_FINISH).
# Standard: RFC 7692 section 7.2.3.4 (a message may end with a block that has BFINAL set; its example is sent here), 7.2.3.1.
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
install() { apt-get install -y --no-install-recommends libmojolicious-perl=9.31+dfsg-1 >apt.log 2>&1; }
install || { apt-get update -qq && install; } || { tail -3 apt.log; exit 1; }
perl -MMojolicious -e 'print "Mojolicious ", Mojolicious->VERSION, "\n"'
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 tornado==6.6.1 autobahn==26.10.2 eventlet==0.41.3 simple-websocket==1.1.0 \
  wsproto==1.3.2 aiohttp==3.14.5
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 permessage-deflate@0.1.7 undici@7.30.2 >/dev/null
cat > websockets_.py <<'PY'
import asyncio, websockets
async def echo(w):
    async for m in w: await w.send(m)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > tornado_.py <<'PY'
import asyncio, tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket
class Echo(tornado.websocket.WebSocketHandler):
    def get_compression_options(self): return {}
    def on_message(self, m): self.write_message(m)
async def main():
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", Echo)])).add_sockets(sockets)
    print("PORT", sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > autobahn_.py <<'PY'
import asyncio
from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
class Echo(WebSocketServerProtocol):
    def onMessage(self, m, binary): self.sendMessage(m, binary)
async def main():
    f = WebSocketServerFactory(); f.protocol = Echo
    f.setProtocolOptions(perMessageCompressionAccept=lambda offers: next(
        (PerMessageDeflateOfferAccept(o) for o in offers if isinstance(o, PerMessageDeflateOffer)), None))
    s = await asyncio.get_running_loop().create_server(f, "127.0.0.1", 0)
    print("PORT", s.sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > eventlet_.py <<'PY'
import eventlet
from eventlet import websocket, wsgi
@websocket.WebSocketWSGI
def echo(w):
    while (m := w.wait()) is not None: w.send(m)
s = eventlet.listen(("127.0.0.1", 0)); print("PORT", s.getsockname()[1], flush=True); wsgi.server(s, echo, log_output=False)
PY
cat > wsproto_.py <<'PY'
import simple_websocket, socketserver
class H(socketserver.BaseRequestHandler):
    def handle(self):
        b = b""
        while b"\r\n\r\n" not in b: b += self.request.recv(4096)
        env = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "werkzeug.socket": self.request}
        for l in b.decode().split("\r\n")[1:]:
            if ":" in l: k, v = l.split(":", 1); env["HTTP_" + k.upper().replace("-", "_")] = v.strip()
        w = simple_websocket.Server(env)
        try:
            while True: w.send(w.receive())
        except simple_websocket.ConnectionClosed: pass
class S(socketserver.ThreadingTCPServer): daemon_threads = True
s = S(("127.0.0.1", 0), H); print("PORT", s.server_address[1], flush=True); s.serve_forever()
PY
cat > aiohttp_.py <<'PY'
import asyncio
from aiohttp import web
async def echo(request):
    w = web.WebSocketResponse(); await w.prepare(request)
    async for m in w: await w.send_str(m.data)
    return w
async def main():
    a = web.Application(); a.router.add_get("/", echo); r = web.AppRunner(a); await r.setup()
    s = web.TCPSite(r, "127.0.0.1", 0); await s.start()
    print("PORT", s._server.sockets[0].getsockname()[1], flush=True); await asyncio.Future()
asyncio.run(main())
PY
cat > mojolicious.pl <<'PL'
use Mojolicious::Lite; use Mojo::Server::Daemon; use Mojo::IOLoop;
websocket '/' => sub { my $c = shift; $c->tx->with_compression; $c->on(message => sub { $_[0]->send($_[1]) }) };
app->log->level('fatal');
my $d = Mojo::Server::Daemon->new(app => app, listen => ['http://127.0.0.1:0'], silent => 1); $d->start;
$| = 1; print 'PORT ', $d->ports->[0], "\n"; Mojo::IOLoop->start;
PL
cat > ws.js <<'JS'
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
s.on('connection', c => c.on('message', m => c.send(String(m))));
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > faye.js <<'JS'
const Faye = require('faye-websocket'), deflate = require('permessage-deflate'), s = require('http').createServer();
s.on('upgrade', (request, socket, head) => {
  const w = new Faye(request, socket, head, [], { extensions: [deflate] });
  w.on('message', e => w.send(e.data));
});
s.listen(0, '127.0.0.1', () => console.log('PORT ' + s.address().port));
JS
cat > undici.js <<'JS'
const w = new (require('undici').WebSocket)('ws://127.0.0.1:' + process.argv[2]), all = [];
w.onmessage = e => all.push(JSON.stringify(e.data));
w.onclose = e => console.log('undici: ' + all.join(' ') + ', close ' + e.code);
JS
cat > ask.py <<'PY'
import base64, hashlib, socket, subprocess, sys, zlib
PLAIN, FINAL = bytes.fromhex("f248cdc9c90700"), bytes.fromhex("f348cdc9c9070000")   # RFC 7692 sections 7.2.3.1 and 7.2.3.4
def fields(head, name): return [l.split(b":", 1)[1].strip() for l in head.split(b"\r\n") if l.lower().startswith(name.encode() + b":")]
def until_blank_line(s):
    b = b""
    while b"\r\n\r\n" not in b: b += s.recv(1)
    return b
def server(name, port):
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(5)
    s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode())
    answer = fields(until_blank_line(s), "sec-websocket-extensions")
    assert answer and b"client_no_context_takeover" not in answer[0], answer
    z, b, got = zlib.decompressobj(-15), b"", []
    def take(n):
        nonlocal b
        while len(b) < n:
            d = s.recv(4096)
            if not d: raise EOFError
            b += d
        d, b = b[:n], b[n:]
        return d
    for data in PLAIN, FINAL, PLAIN, PLAIN:
        try:
            s.sendall(b"\xc1" + bytes([128 | len(data)]) + bytes(4) + data)
            first, n = take(2); message = take(n)
            if first & 15 == 8: got.append(f"Close {int.from_bytes(message[:2], 'big')}"); break
            if first & 64: message = z.decompress(message + b"\0\0\xff\xff")
            got.append('"' + message.decode() + '"')
        except (EOFError, ConnectionError): got.append("end of TCP"); break
    print(f"{name}: {' '.join(got)}", flush=True)
def client():
    l = socket.create_server(("127.0.0.1", 0))
    p = subprocess.Popen(["node", "undici.js", str(l.getsockname()[1])])
    l.settimeout(20); s = l.accept()[0]; s.settimeout(5)
    key = fields(until_blank_line(s), "sec-websocket-key")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    s.sendall((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode())
    for data in PLAIN, FINAL, PLAIN, PLAIN: s.sendall(b"\xc1" + bytes([len(data)]) + data)
    s.sendall(b"\x88\x02\x03\xe8"); s.recv(100); s.close(); p.wait(10)
if len(sys.argv) > 1: server(sys.argv[1], int(sys.argv[2]))
else: client()
PY
v/bin/pip list 2>/dev/null | grep -E '^(websockets|tornado|autobahn|eventlet|simple-websocket|wsproto|aiohttp) '
for p in ws faye-websocket permessage-deflate undici; do node -p "'$p ' + JSON.parse(require('fs').readFileSync('node_modules/$p/package.json')).version"; done
for n in websockets_.py tornado_.py autobahn_.py eventlet_.py faye.js wsproto_.py mojolicious.pl ws.js aiohttp_.py; do
  case $n in *.py) v/bin/python $n > $n.log 2>/dev/null & ;; *.pl) perl $n > $n.log 2>&1 & ;; *) node $n > $n.log 2>&1 & ;; esac
  PIDS="$PIDS $!"
  for _ in $(seq 200); do grep -q PORT $n.log && break; sleep 0.1; done
  timeout 40 python3 ask.py $n "$(sed -n 's/^PORT //p' $n.log)" >> out
done
timeout 40 python3 ask.py >> out
cat out
for n in websockets_.py tornado_.py autobahn_.py eventlet_.py faye.js; do grep -qx "$n: \"Hello\" \"Hello\" \"\" \"\"" out; done
grep -qx 'undici: "Hello" "Hello" "" "", close 1000' out
grep -qxE 'wsproto_.py: "Hello" "Hello" (Close 1007|end of TCP)' out
grep -qx 'mojolicious.pl: "Hello" Close 1009' out
for n in ws.js aiohttp_.py; do grep -qx "$n: \"Hello\" \"Hello\" \"Hello\" \"Hello\"" out; done
echo "As described above."
