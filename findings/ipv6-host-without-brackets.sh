#!/bin/bash
# Seven WebSocket clients connect to ws://[::1]:PORT/ with an invalid Host header; nginx and lighttpd answer 400.
#
# Guessed: every client that takes an IPv6 address in a URL also writes it in brackets in the Host header.
# Seen: autobahn 26.10.2, trio-websocket 0.12.2, lomond 0.3.4, ws4py 0.6.0 and npm's websocket 1.0.35 send
#   "Host: ::1:PORT"; simple-websocket 1.1.0 and nodejs-websocket 1.7.2 send "Host: ::1".
#   websockets 17.4, aiohttp 3.14.5, tornado 6.6.1, websocket-client 1.9.2, picows 2.3.1, ws 8.23.0 and
#   faye-websocket 0.11.4 send "Host: [::1]:PORT".
#   nginx 1.22.1 and lighttpd 1.4.69 answer the first two with 400 and pass the third on.
# Why it matters: these clients reach a bare server by its IPv6 address, and stop doing so when a proxy stands in front.
#   Connect by name, or set the Host header yourself. A server that checks Host strictly loses them too.
# Standard: RFC 6455 section 4.1 point 4 (Host holds the URI's host), RFC 3986 section 3.2.2 (IP-literal in brackets), RFC
#   9112 section 3.2 (400 to an invalid Host).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
fetch() { apt-get download "$@" >apt.log 2>&1 || { apt-get update -qq && apt-get download "$@" >apt.log 2>&1; } || { cat apt.log; exit 1; }; }
fetch nginx=1.22.1-9+deb12u11 lighttpd=1.4.69-1 libnettle8 libxxhash0 libpcre2-8-0 libhogweed6 libgmp10
for d in *.deb; do dpkg -x "$d" tree; done
export LD_LIBRARY_PATH=$T/tree/usr/lib/$(uname -m)-linux-gnu
tree/usr/sbin/nginx -v 2>&1; tree/usr/sbin/lighttpd -v | head -1
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 aiohttp==3.14.5 tornado==6.6.1 websocket-client==1.9.2 picows==2.3.1 autobahn==26.10.2 \
  trio-websocket==0.12.2 lomond==0.3.4 ws4py==0.6.0 simple-websocket==1.1.0
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 websocket@1.0.35 nodejs-websocket@1.7.2 >/dev/null

cat > client.py <<'PY'
import asyncio, sys
lib, url = sys.argv[1:]
async def aio():
    if lib == "websockets":
        from websockets.asyncio.client import connect
        await connect(url, proxy=None)
    elif lib == "aiohttp":
        import aiohttp
        async with aiohttp.ClientSession() as s: await s.ws_connect(url)
    elif lib == "tornado":
        from tornado.websocket import websocket_connect
        await websocket_connect(url)
    elif lib == "picows":
        from picows import WSListener, ws_connect
        await ws_connect(WSListener, url)
    elif lib == "autobahn":
        from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
        f = WebSocketClientFactory(url); f.protocol = WebSocketClientProtocol
        await asyncio.get_running_loop().create_connection(f, f.host, f.port)
        await asyncio.sleep(0.5)
if lib == "websocket-client":
    import websocket; websocket.create_connection(url)
elif lib == "trio-websocket":
    import trio; from trio_websocket import open_websocket_url
    async def main():
        async with open_websocket_url(url): pass
    trio.run(main)
elif lib == "lomond":
    from lomond import WebSocket
    for e in WebSocket(url):
        if e.name in ("ready", "rejected", "connect_fail"): break
elif lib == "ws4py":
    from ws4py.client.threadedclient import WebSocketClient
    WebSocketClient(url).connect()
elif lib == "simple-websocket":
    import simple_websocket; simple_websocket.Client(url)
else: asyncio.run(aio())
PY
cat > client.js <<'JS'
const [lib, url] = process.argv.slice(2);
const w = lib === 'ws' ? new (require('ws'))(url) : lib === 'faye-websocket' ? new (require(lib).Client)(url)
  : lib === 'websocket' ? new (require(lib).w3cwebsocket)(url) : require(lib).connect(url);
if (w.on) w.on('error', () => {}); else w.onerror = () => {};
setTimeout(() => process.exit(), 1000);
JS
cat > test.py <<'PY'
import socket, subprocess, sys, threading
def host_of(lib):
    s = socket.socket(socket.AF_INET6); s.bind(("::1", 0)); s.listen(1); s.settimeout(25)
    port = s.getsockname()[1]
    cmd = ["v/bin/python", "client.py"] if lib not in ("ws", "faye-websocket", "websocket", "nodejs-websocket") else ["node", "client.js"]
    p = subprocess.Popen([*cmd, lib, f"ws://[::1]:{port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    c = s.accept()[0]; c.settimeout(5)
    head = b""
    while b"\r\n\r\n" not in head: head += c.recv(4096)
    c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); c.close()
    p.terminate(); p.wait()
    return [l.split(":", 1)[1].strip() for l in head.decode().split("\r\n") if l.lower().startswith("host:")][0].replace(str(port), "PORT")
def backend():
    s = socket.create_server(("127.0.0.1", 0))
    def serve():
        while True:
            c = s.accept()[0]
            c.recv(4096); c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]
def ask(port, host):
    with socket.create_connection(("127.0.0.1", port), 5) as c:
        c.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        return c.recv(4096).split()[1].decode()
def proxy(name, to):
    s = socket.socket(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]; s.close()
    if name == "nginx":
        open("nginx.conf", "w").write(f"daemon off; pid nginx.pid; error_log nginx.err; events {{}} http {{ access_log off;"
            " client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;"
            f" server {{ listen 127.0.0.1:{port};"
            f" location / {{ proxy_pass http://127.0.0.1:{to}; proxy_http_version 1.1; proxy_set_header Host $http_host;"
            " proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } } }")
        cmd = ["tree/usr/sbin/nginx", "-p", ".", "-c", "nginx.conf", "-e", "nginx.err"]
    else:
        open("lighttpd.conf", "w").write(f'server.port = {port}\nserver.bind = "127.0.0.1"\nserver.document-root = "/"\nserver.modules = ("mod_proxy")\n'
            f'proxy.server = ("" => (("host" => "127.0.0.1", "port" => {to})))\nproxy.header = ("upgrade" => "enable")\n')
        cmd = ["tree/usr/sbin/lighttpd", "-D", "-f", "lighttpd.conf", "-m", "tree/usr/lib/lighttpd"]
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=open(name + ".err", "w"))
    for _ in range(100):
        try: socket.create_connection(("127.0.0.1", port), 1).close(); break
        except OSError: threading.Event().wait(0.1)
    return p, port
for lib in sys.argv[1:]: print(f"{lib}: Host: {host_of(lib)}", flush=True)
to = backend()
for name in "nginx", "lighttpd":
    p, port = proxy(name, to)
    try: print(f"{name}: " + ", ".join(f"{h} -> {ask(port, h)}" for h in ("[::1]:8080", "::1:8080", "::1")), flush=True)
    finally: p.terminate(); p.wait()
PY
GOOD="websockets aiohttp tornado websocket-client picows ws faye-websocket"
PORTLESS="simple-websocket nodejs-websocket"
BARE="autobahn trio-websocket lomond ws4py websocket"
timeout 100 python3 test.py $GOOD $BARE $PORTLESS > out || { cat out ./*.err; exit 1; }
cat out
for l in $GOOD; do grep -Fqx "$l: Host: [::1]:PORT" out; done
for l in $BARE; do grep -Fqx "$l: Host: ::1:PORT" out; done
for l in $PORTLESS; do grep -Fqx "$l: Host: ::1" out; done
for n in nginx lighttpd; do grep -Fqx "$n: [::1]:8080 -> 101, ::1:8080 -> 400, ::1 -> 400" out; done
echo "As described above."
