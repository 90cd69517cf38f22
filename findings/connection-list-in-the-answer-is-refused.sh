#!/bin/bash
# "Connection: keep-alive, Upgrade" in the 101 makes half of the clients give up; so do a space, a tab or Latin-1 for some.
#
# Guessed: what RFC 6455 asks clients to look for is a token in Connection, so all fifteen accept a list there, on one line
#   or on two, as most servers accept it in a request. White space around values and a byte of ISO-8859-1 in an
#   unrelated field (Server) change nothing.
# Seen: aiohttp 3.14.5, tornado 6.6.1, picows 2.3.1, ws4py 0.6.0, faye-websocket 0.11.4, npm's websocket 1.0.35 and
#   undici 7.30.2 (the WebSocket of Node.js) refuse both lists. Tornado says only "Stream is closed", undici nothing.
#   A space behind the values: refused by nodejs-websocket 1.7.2 and undici. Tabs around them: by those two, ws 8.23.0 and
#   npm's websocket. No space after the colon: by nodejs-websocket. "Server: Bj\xf6rn": by websocket-client 1.9.2 and
#   autobahn 26.10.2. websockets 17.4, trio-websocket 0.12.2, simple-websocket 1.1.0 and lomond 0.3.4 accept everything.
# Why it matters: a server or gateway that returns the request's Connection field, or adds an option of its own, loses these
#   clients, while a test with others passes. Send "Connection: Upgrade" alone, one space, ASCII.
# Standard: RFC 6455 section 4.1 (the client fails if Connection "doesn't contain a token" Upgrade), RFC 9110 sections 5.3
#   (lists over several lines) and 5.5 (obs-text), RFC 9112 section 5.1 (optional white space is no part of the value).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 aiohttp==3.14.5 tornado==6.6.1 autobahn==26.10.2 websocket-client==1.9.2 \
  picows==2.3.1 trio-websocket==0.12.2 simple-websocket==1.1.0 lomond==0.3.4 ws4py==0.6.0
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 websocket@1.0.35 nodejs-websocket@1.7.2 undici@7.30.2 >/dev/null
cat > server.py <<'PY'
# Answers each request with the 101 that its path names, and sends the text "hi" a little later.
import base64, hashlib, socket, threading, time
LINE = b"HTTP/1.1 101 Switching Protocols\r\n"
ANSWERS = {
    "plain": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
    "list": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
    "lines": b"Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
    "space": b"Upgrade: websocket \r\nConnection: Upgrade \r\nSec-WebSocket-Accept: %s \r\n\r\n",
    "tab": b"Upgrade:\twebsocket\t\r\nConnection:\tUpgrade\t\r\nSec-WebSocket-Accept:\t%s\t\r\n\r\n",
    "dense": b"Upgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Accept:%s\r\n\r\n",
    "latin": b"Server: Bj\xf6rn\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
}
def serve(c):
    c.settimeout(6); b = b""
    try:
        while b"\r\n\r\n" not in b:
            d = c.recv(4096)
            if not d: return
            b += d
        key = [l.split(b":", 1)[1].strip() for l in b.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key")][0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        c.sendall(LINE + ANSWERS[b.split()[1].decode()[1:]] % accept)
        time.sleep(0.1); c.sendall(b"\x81\x02hi")
        time.sleep(0.2); c.sendall(b"\x88\x02\x03\xe8")
        while c.recv(4096): pass
    except OSError: pass
    finally: c.close()
s = socket.create_server(("127.0.0.1", 0)); print("PORT", s.getsockname()[1], flush=True)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
PY
cat > client.py <<'PY'
import asyncio, contextlib, io, logging, os, sys
from urllib.parse import urlsplit
logging.disable(logging.CRITICAL)
name, base, answers = sys.argv[1], sys.argv[2], sys.argv[3].split()
def websockets(u):
    from websockets.sync.client import connect
    with connect(u) as c: return c.recv(5)
def aiohttp(u):
    import aiohttp
    async def f():
        async with aiohttp.ClientSession() as s:
            async with s.ws_connect(u) as w: return (await w.receive(5)).data
    return asyncio.run(f())
def tornado(u):
    from tornado.websocket import websocket_connect
    async def f(): return await (await websocket_connect(u)).read_message()
    return asyncio.run(asyncio.wait_for(f(), 5))
def websocket_client(u):
    import websocket
    return websocket.create_connection(u, timeout=5).recv()
def picows(u):
    import picows
    async def f():
        q = asyncio.Queue()
        class L(picows.WSListener):
            def on_ws_frame(self, transport, frame): q.put_nowait(frame.get_payload_as_ascii_text())
        await picows.ws_connect(L, u)
        return await q.get()
    return asyncio.run(asyncio.wait_for(f(), 5))
def trio_websocket(u):
    import trio, trio_websocket
    async def f():
        async with trio_websocket.open_websocket_url(u) as w: return await w.get_message()
    return trio.run(f)
def simple_websocket(u):
    import simple_websocket
    return simple_websocket.Client(u).receive(5)
def lomond(u):
    import lomond
    for e in lomond.WebSocket(u).connect(poll=3):
        if e.name == "text": return e.text
        if e.name in ("connect_fail", "rejected", "protocol_error", "disconnected"): return "refused"
def ws4py(u):
    from ws4py.client.threadedclient import WebSocketClient
    got = []
    class C(WebSocketClient):
        def received_message(self, m): got.append(str(m))
    c = C(u); c.connect(); c.run_forever()
    return got[0]
def autobahn(u):
    from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
    async def f():
        loop = asyncio.get_running_loop(); r = loop.create_future()
        class P(WebSocketClientProtocol):
            def onMessage(self, payload, binary): r.done() or r.set_result(payload.decode())
            def onClose(self, clean, code, reason): r.done() or r.set_result("refused")
        factory = WebSocketClientFactory(u); factory.protocol = P
        await loop.create_connection(factory, "127.0.0.1", urlsplit(u).port)
        return await r
    return asyncio.run(asyncio.wait_for(f(), 5))
refused = []
for a in answers:
    quiet = io.StringIO()
    try:
        with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet): r = globals()[name](base + a)
    except BaseException as e: r = e
    if r != "hi": refused.append(a)
print(f"{name} refuses: {' '.join(refused) or 'nothing'}", flush=True)
os._exit(0)
PY
cat > client.js <<'JS'
const [, , name, base, answers] = process.argv;
const one = u => new Promise(done => {
  setTimeout(done, 4000, 'timeout').unref();
  if (name === 'nodejs-websocket') {
    const c = require(name).connect(u);
    c.on('text', done); c.on('error', done); c.on('close', done);
  } else if (name === 'websocket') {
    const c = new (require(name).client)();
    c.on('connectFailed', done); c.on('connect', k => k.on('message', m => done(m.utf8Data))); c.connect(u);
  } else {
    const W = name === 'ws' ? require('ws') : name === 'undici' ? require('undici').WebSocket : require('faye-websocket').Client;
    const c = new W(u);
    c.onmessage = m => done(String(m.data)); c.onerror = done; c.onclose = done;
  }
});
(async () => {
  const refused = [];
  for (const a of answers.split(' ')) if (await one(base + a) !== 'hi') refused.push(a);
  console.log(`${name} refuses: ${refused.join(' ') || 'nothing'}`);
  process.exit(0);
})();
JS
v/bin/pip list 2>/dev/null | grep -E '^(websockets|aiohttp|tornado|autobahn|websocket-client|picows|trio-websocket|simple-websocket|lomond|ws4py) '
for m in ws faye-websocket websocket nodejs-websocket undici; do
  node -p "'$m ' + JSON.parse(require('fs').readFileSync('node_modules/$m/package.json')).version"
done
python3 server.py > server.log & PIDS="$PIDS $!"
for _ in $(seq 100); do grep -q PORT server.log && break; sleep 0.1; done
URL="ws://127.0.0.1:$(sed -n 's/^PORT //p' server.log)/"; ALL="plain list lines space tab dense latin"
for n in websockets trio_websocket simple_websocket lomond aiohttp tornado picows ws4py websocket_client autobahn; do
  timeout 60 v/bin/python client.py $n "$URL" "$ALL" >> out
done
for n in ws faye-websocket websocket nodejs-websocket undici; do timeout 60 node client.js $n "$URL" "$ALL" >> out; done
cat out
for n in websockets trio_websocket simple_websocket lomond; do grep -qx "$n refuses: nothing" out; done
for n in aiohttp tornado picows ws4py faye-websocket; do grep -qx "$n refuses: list lines" out; done
for n in websocket_client autobahn; do grep -qx "$n refuses: latin" out; done
grep -qx "ws refuses: tab" out
grep -qx "websocket refuses: list lines tab" out
grep -qx "nodejs-websocket refuses: space tab dense" out
grep -qx "undici refuses: list lines space tab" out
echo "As described above."
