#!/bin/bash
# Of fifteen clients, five send the credentials of a URL as its Basic authentication means; the other ten give no error.
#
# Guessed: a client that takes ws://user:password@host/ sends "Authorization: Basic" with the decoded credentials; a client
#   that does not support this refuses the URL.
# Seen, for user "user" and password "p@s:s", written p%40s%3As:
#   1. websockets 17.4, aiohttp 3.14.5, httpx-ws 0.9.0, ws 8.23.0 and Deno 2.9.6 send it decoded.
#   2. tornado 6.6.1 and faye-websocket 0.11.4 send the text "p%40s%3As" as the password: right for simple passwords, wrong
#      for those that had to be encoded.
#   3. websocket-client 1.9.2, autobahn 26.10.2, trio-websocket 0.12.2, simple-websocket 1.1.0, ws4py 0.6.0, undici 7.30.2 and
#      npm's websocket 1.0.35 connect without the credentials, and do not say so.
#   4. picows 2.3.1 sends no Authorization and puts the credentials into Host: "Host: user:p%40s%3As@127.0.0.1:8080".
# Why it matters: a user whose URL works in one client gets 401 with another, and nothing says that no credentials were sent. With
#   picows they are in a field that access logs hold, and that servers may refuse. Set the header Authorization, where
#   the client lets you.
# Standard: RFC 3986 section 3.2.1 (userinfo is part of the authority, percent-encoded); RFC 9110 section 7.2 (Host is host and port,
#   without userinfo); the grammar of RFC 6455 section 3 has no userinfo, the URLs of browsers (WHATWG) have.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websocket-client==1.9.2 autobahn==26.10.2 websockets==17.4 aiohttp==3.14.5 tornado==6.6.1 \
  simple-websocket==1.1.0 ws4py==0.6.0 trio-websocket==0.12.2 httpx-ws==0.9.0 picows==2.3.1
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 undici@7.30.2 websocket@1.0.35 deno@2.9.6 >/dev/null
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
cat > trio_websocket_.py <<'PY'
import sys, trio
from trio_websocket import open_websocket_url
async def main():
    async with open_websocket_url(sys.argv[1]): pass
trio.run(main)
PY
cat > httpx_ws_.py <<'PY'
import sys
from httpx_ws import connect_ws
with connect_ws(sys.argv[1]): pass
PY
cat > picows_.py <<'PY'
import asyncio, sys
from picows import WSListener, ws_connect
async def main():
    t, _ = await ws_connect(WSListener, sys.argv[1]); t.disconnect(); await t.wait_disconnected()
asyncio.run(main())
PY
cat > browser.js <<'JS'
const [, , url, name] = process.argv;
const W = name === 'ws' ? require('ws') : name === 'faye' ? require('faye-websocket').Client : name === 'undici' ? require('undici').WebSocket
  : name === 'websocket' ? require('websocket').w3cwebsocket : globalThis.WebSocket;
const w = new W(url); w.onopen = () => w.close(); w.onclose = () => process.exit(); w.onerror = () => {};
JS
cat > ask.py <<'PY'
import base64, hashlib, socket, subprocess, threading
heads = []
def serve(c):
    c.settimeout(5); head = b""
    while b"\r\n\r\n" not in head:
        d = c.recv(4096)
        if not d: return
        head += d
    lines = head.split(b"\r\n")
    field = lambda name: [l.split(b":", 1)[1].strip() for l in lines if l.lower().startswith(name + b":")]
    heads.append((field(b"host")[0].decode(), field(b"authorization")))
    accept = base64.b64encode(hashlib.sha1(field(b"sec-websocket-key")[0] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    try:
        c.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        c.recv(100); c.sendall(b"\x88\x00")
    except OSError: pass
    c.close()
l = socket.create_server(("127.0.0.1", 0)); port = l.getsockname()[1]
def accept():
    while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
for name in ("websockets_.py", "aiohttp_.py", "httpx_ws_.py", "ws", "deno", "tornado_.py", "faye", "websocket_client.py", "autobahn_.py",
             "trio_websocket_.py", "simple_websocket_.py", "ws4py_.py", "undici", "websocket", "picows_.py"):
    heads.clear(); url = f"ws://user:p%40s%3As@127.0.0.1:{port}/"
    cmd = ["v/bin/python", name] if name.endswith(".py") else ["node_modules/.bin/deno", "run", "-A", "browser.js"] if name == "deno" else ["node", "browser.js"]
    try: done = subprocess.run([*cmd, url, name], timeout=20, capture_output=True)
    except subprocess.TimeoutExpired: done = None
    host, given = heads[0]
    seen = base64.b64decode(given[0].split()[1]).decode() if given else "no credentials"
    print(f"{name}: {seen}{', credentials in Host' if '@' in host else ''}", flush=True)
PY
v/bin/pip list 2>/dev/null | grep -E '^(websocket-client|autobahn|websockets|aiohttp|tornado|simple-websocket|ws4py|trio-websocket|httpx-ws|picows) '
for p in ws faye-websocket undici websocket deno; do node -p "'$p ' + JSON.parse(require('fs').readFileSync('node_modules/$p/package.json')).version"; done
timeout 300 python3 ask.py > out
cat out
for n in websockets_.py aiohttp_.py httpx_ws_.py ws deno; do grep -qx "$n: user:p@s:s" out; done
for n in tornado_.py faye; do grep -qx "$n: user:p%40s%3As" out; done
for n in websocket_client.py autobahn_.py trio_websocket_.py simple_websocket_.py ws4py_.py undici websocket; do grep -qx "$n: no credentials" out; done
grep -qx 'picows_.py: no credentials, credentials in Host' out
echo "As described above."
