#!/bin/bash
# Behind a proxy that sends Forwarded, Hypercorn names clients over IPv6 by a text with quotes and brackets, which is no address.
#
# Guessed: ProxyFixMiddleware in its mode "modern" reads the examples of RFC 7239, and gives the application an address without
#   quotes, brackets and port, as Hypercorn itself does.
# Seen (Hypercorn 0.18.0), in the scope of a WebSocket:
#   1. for=192.0.2.60;proto=https: client 192.0.2.60, but scheme "https" where ASGI has "wss".
#   2. for="[2001:db8:cafe::17]": the client's address is the text with quotes and brackets. An IPv6 address cannot be
#      written without them.
#   3. for="192.0.2.43:47011": quotes and port are in the address. host="example.com:8443": quotes are in the field Host.
#   4. For="[2001:db8:cafe::17]:4711", the second example of the RFC, with a capital letter: nothing is read, and the client
#      is the proxy.
#   aiohttp 3.14.5 and forwarded-parse 2.2.0 (npm) read all of them (the control).
# Why it matters: limits, logs and checks by address work for clients over IPv4, and for those over IPv6 compare a text that
#   is no address. Let the proxy send X-Forwarded-For to it (mode "legacy"); test with an IPv6 client.
# Standard: RFC 7239 section 4 (parameter names are case-insensitive; the values are tokens or quoted strings; the examples), section 6
#   (an IPv6 address is in brackets, and in quotes as it holds colons); the ASGI specification, WebSocket connection scope (scheme).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile hypercorn==0.18.0 aiohttp==3.14.5
npm init -y >/dev/null
npm i --silent --no-audit --no-fund forwarded-parse@2.2.0 >/dev/null
cat > app.py <<'PY'
from hypercorn.middleware import ProxyFixMiddleware
async def show(scope, receive, send):
    if scope["type"] != "websocket": return
    await receive()
    await send({"type": "websocket.accept"})
    host = [v.decode() for k, v in scope["headers"] if k.lower() == b"host"]
    await send({"type": "websocket.send", "text": f"client {scope['client'][0]}, scheme {scope['scheme']}, host {host[0]}"})
    await receive()
app = ProxyFixMiddleware(show, mode="modern", trusted_hops=1)
PY
cat > control.js <<'JS'
console.log('forwarded-parse: ' + process.argv.slice(2).map(v => JSON.stringify(require('forwarded-parse')(v)[0])).join(' '));
JS
cat > ask.py <<'PY'
import socket, subprocess, sys, time
from aiohttp.test_utils import make_mocked_request
port = int(sys.argv[1])
for _ in range(200):
    try: socket.create_connection(("127.0.0.1", port), 1).close(); break
    except OSError: time.sleep(0.1)
VALUES = ["for=192.0.2.60;proto=https", 'for="[2001:db8:cafe::17]"', 'for="192.0.2.43:47011";host="example.com:8443"', 'For="[2001:db8:cafe::17]:4711"']
for value in VALUES:
    s = socket.create_connection(("127.0.0.1", port), 5); s.settimeout(5)
    s.sendall((f"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nForwarded: {value}\r\n\r\n").encode())
    b = b""
    while b"host " not in b.partition(b"\r\n\r\n")[2]: b += s.recv(4096)
    print(f"{value}: {b[b.index(b'client '):].decode()}"); s.close()
read = [dict(make_mocked_request("GET", "/", headers={"Forwarded": v}).forwarded[0]) for v in VALUES]
print("aiohttp:", *(f"{r['for']}" for r in read))
subprocess.run(["node", "control.js", *VALUES], check=True)
PY
v/bin/pip list 2>/dev/null | grep -iE '^(hypercorn|aiohttp) '
node -p "'forwarded-parse ' + JSON.parse(require('fs').readFileSync('node_modules/forwarded-parse/package.json')).version"
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
v/bin/hypercorn -b "127.0.0.1:$PORT" app:app > log 2>&1 & PIDS="$PIDS $!"
timeout 60 v/bin/python ask.py "$PORT" > out || { cat out log; exit 1; }
cat out
grep -qxF 'for=192.0.2.60;proto=https: client 192.0.2.60, scheme https, host a' out
grep -qxF 'for="[2001:db8:cafe::17]": client "[2001:db8:cafe::17]", scheme ws, host a' out
grep -qxF 'for="192.0.2.43:47011";host="example.com:8443": client "192.0.2.43:47011", scheme ws, host "example.com:8443"' out
grep -qxF 'For="[2001:db8:cafe::17]:4711": client 127.0.0.1, scheme ws, host a' out
grep -qxF 'aiohttp: 192.0.2.60 [2001:db8:cafe::17] 192.0.2.43:47011 [2001:db8:cafe::17]:4711' out
grep -qF 'forwarded-parse: {"for":"192.0.2.60","proto":"https"} {"for":"[2001:db8:cafe::17]"}' out
echo "As described above."
