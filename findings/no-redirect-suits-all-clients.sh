#!/bin/bash
# No form of Location redirects all the clients that follow redirects: ws:// fails in aiohttp, a path in websocket-client,
# http:// in three others.
#
# Guessed: a client that follows redirects of the handshake follows "Location: ws://host/new" and "Location: /new".
# Seen, with a 302 to the handshake (aiohttp 3.14.5, websockets 17.4, websocket-client 1.9.2, picows 2.3.1, ws 8.23.0
#   with followRedirects, tornado 6.6.1):
#   - Location: ws://host/new   followed by websockets, websocket-client, picows, ws; aiohttp NonHttpUrlRedirectClientError
#   - Location: http://host/new followed by aiohttp, ws; websockets, websocket-client, picows refuse the scheme
#   - Location: /new            followed by aiohttp, websockets, picows, ws; websocket-client "url is invalid"
#   tornado follows none (it raises HTTP 302), although its HTTP client does.
# Why it matters: a server that moves its clients to another host (307, 308) must name a scheme, and loses either aiohttp
#   or the other three. On the same host a path is the best choice. A proxy that redirects http to https answers with
#   https://, which three of the clients refuse: give users the final address.
# Standard: RFC 6455 section 4.1 (the client might follow a redirect but need not), RFC 9110 section 10.2.2 (Location is a
#   URI reference, relative ones are allowed).
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile aiohttp==3.14.5 websockets==17.4 websocket-client==1.9.2 picows==2.3.1 tornado==6.6.1
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
v/bin/pip list 2>/dev/null | grep -E '^(aiohttp|websockets|websocket-client|picows|tornado) '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"

cat > client.py <<'PY'
import asyncio, sys
lib, url = sys.argv[1:]
async def main():
    if lib == "websockets":
        from websockets.asyncio.client import connect
        async with connect(url, proxy=None): pass
    elif lib == "aiohttp":
        import aiohttp
        async with aiohttp.ClientSession() as s:
            async with s.ws_connect(url): pass
    elif lib == "tornado":
        from tornado.websocket import websocket_connect
        await websocket_connect(url)
    elif lib == "picows":
        from picows import WSListener, ws_connect
        t, _ = await ws_connect(WSListener, url)
        t.disconnect()
    else:
        import websocket
        websocket.create_connection(url, timeout=5).shutdown()
try:
    asyncio.run(main())
    print("follows")
except Exception as e:
    print(type(e).__name__)
PY
cat > client.js <<'JS'
const w = new (require('ws'))(process.argv[3], { followRedirects: true });
w.on('open', () => { console.log('follows'); process.exit(); });
w.on('error', (e) => { console.log(e.message); process.exit(); });
JS
cat > test.py <<'PY'
import base64, hashlib, socket, subprocess, threading
s = socket.create_server(("127.0.0.1", 0))
port = s.getsockname()[1]
forms = {"ws": f"ws://127.0.0.1:{port}/new", "http": f"http://127.0.0.1:{port}/new", "path": "/new"}
def serve(c):
    head = b""
    while b"\r\n\r\n" not in head: head += c.recv(4096)
    lines = head.decode().split("\r\n")
    path = lines[0].split()[1]
    if path == "/new":
        key = [l.split(":")[1].strip() for l in lines if l.lower().startswith("sec-websocket-key")][0]
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        c.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        c.settimeout(5)
        if c.recv(4096): c.sendall(b"\x88\x02\x03\xe8")
    else:
        c.sendall(f"HTTP/1.1 302 Found\r\nLocation: {forms[path[1:]]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    c.close()
def accept():
    while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
for lib in "aiohttp", "websockets", "websocket-client", "picows", "ws", "tornado":
    cmd = ["node", "client.js"] if lib == "ws" else ["v/bin/python", "client.py"]
    got = [subprocess.run([*cmd, lib, f"ws://127.0.0.1:{port}/{f}"], capture_output=True, text=True, timeout=30).stdout.strip() for f in forms]
    print(f"{lib}: " + ", ".join(f"{f} {g}" for f, g in zip(forms, got)), flush=True)
PY
timeout 100 python3 test.py > out; cat out
grep -qx "aiohttp: ws NonHttpUrlRedirectClientError, http follows, path follows" out
grep -qx "websockets: ws follows, http InvalidURI, path follows" out
grep -qx "websocket-client: ws follows, http WebSocketException, path WebSocketException" out
grep -qx "picows: ws follows, http WSInvalidURL, path follows" out
grep -qx "ws: ws follows, http follows, path follows" out
grep -qx "tornado: ws HTTPClientError, http HTTPClientError, path HTTPClientError" out
echo "As described above."
