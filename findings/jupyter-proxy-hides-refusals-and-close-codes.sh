#!/bin/bash
# Behind jupyter-server-proxy a refused handshake is a 101, and every close of the server is an empty Close frame.
#
# Guessed: the proxy re-frames, but carries the close code both ways, and answers 4xx or 502 if the server behind it refuses the handshake.
# Seen (jupyter-server-proxy 4.6.0, tornado 6.6.1): the proxy answers 101 before it has asked the server.
#   - Server closes with 4001 "session expired": the client gets an empty Close (1005). The code and reason are lost.
#   - Server's TCP connection breaks without a Close: the client gets the same empty Close, a clean end.
#   - Server refuses with 403 and a text: the client gets 101, `open`, then the end of TCP without a Close (1006).
#   - Client closes with 4002: the server gets an empty Close too.
# Why it matters: a client that reconnects after 1012 or 1006 but not after 4001 or 403 cannot tell them apart here: it
#   either never comes back after a crash or tries for ever with an expired session. Such facts belong in a message.
# Standard: RFC 6455 section 7.4 (what the code tells the application), section 4.2.2 (refusal is an HTTP answer).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile jupyter-server-proxy==4.6.0 jupyter_server==2.21.1 tornado==6.6.1 websockets==17.4
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
HOME=$T PATH=$T/v/bin:$PATH v/bin/jupyter-server --no-browser --allow-root --ip=127.0.0.1 --port="$PORT" \
  --ServerApp.port_retries=0 --IdentityProvider.token= > jupyter.log 2>&1 & PIDS="$PIDS $!"
for _ in $(seq 150); do (: < "/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break; sleep 0.2; done
v/bin/pip list 2>/dev/null | grep -E '^(jupyter_server_proxy|jupyter_server|tornado|websockets) '
cat > peer.py <<'PY'
import asyncio, http, sys
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

seen = []
async def handler(ws):
    await asyncio.sleep(0.3)
    path = ws.request.path
    if path == "/4001": await ws.close(4001, "session expired")
    if path == "/crash": ws.transport.abort()
    if path == "/client":
        await ws.wait_closed()
        seen.append(ws.close_code)

def refuse(ws, request):
    if request.path == "/403": return ws.respond(http.HTTPStatus.FORBIDDEN, "no entry")

async def client(url):
    try:
        async with connect(url) as c:
            try: await asyncio.wait_for(c.recv(), 8)
            except ConnectionClosed: pass
            return f"open, then {c.close_code} {c.close_reason!r}"
    except InvalidStatus as e:
        return f"status {e.response.status_code}"

async def main():
    async with serve(handler, "127.0.0.1", 0, process_request=refuse) as s:
        port = s.sockets[0].getsockname()[1]
        for path in "4001", "crash", "403":
            print(f"{path}: directly {await client(f'ws://127.0.0.1:{port}/{path}')};"
                  f" through the proxy {await client(f'ws://127.0.0.1:{sys.argv[1]}/proxy/{port}/{path}')}")
        async with connect(f"ws://127.0.0.1:{sys.argv[1]}/proxy/{port}/client") as c:
            await asyncio.sleep(0.5)
            await c.close(4002, "mine")
        await asyncio.sleep(0.5)
        print("client closes 4002: the server sees", *seen)

asyncio.run(main())
PY
timeout 60 v/bin/python peer.py "$PORT" > out 2>err || { cat err; tail -5 jupyter.log; exit 1; }
cat out
grep -qx "4001: directly open, then 4001 'session expired'; through the proxy open, then 1005 ''" out
grep -qx "crash: directly open, then 1006 ''; through the proxy open, then 1005 ''" out
grep -qx "403: directly status 403; through the proxy open, then 1006 ''" out
grep -qx "client closes 4002: the server sees 1005" out
echo "As described above."
