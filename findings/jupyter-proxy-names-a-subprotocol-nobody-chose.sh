#!/bin/bash
# jupyter-server-proxy tells the client that its first subprotocol was chosen, whatever the server behind it said.
#
# Guessed: a reverse proxy passes the server's Sec-WebSocket-Protocol on, as nginx and all the others do.
# Seen (jupyter-server-proxy 4.6.0, tornado 6.6.1): the client offers "a, b". If the server picks "b", the client is
#   told "a"; if the server picks none, the client is told "a" too. Both ends then believe in different protocols.
# Why it matters: with names that carry versions (v2.app, v1.app; graphql-transport-ws, graphql-ws; v12.stomp) the
#   client speaks one protocol and the server another, with no error from either library. Behind this proxy a client
#   should offer one subprotocol only, and a server should refuse what it does not speak.
# Standard: RFC 6455 section 4.2.2 point 5 (the value is the one that the server chose) and section 1.9.
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
import asyncio, sys
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(ws):
    async for m in ws: await ws.send(f"server speaks {ws.subprotocol}")

async def once(choice):
    async with serve(echo, "127.0.0.1", 0, select_subprotocol=lambda c, offered: choice) as s:
        port = s.sockets[0].getsockname()[1]
        for name, url in ("directly", f"ws://127.0.0.1:{port}/"), ("through the proxy", f"ws://127.0.0.1:{sys.argv[1]}/proxy/{port}/"):
            async with connect(url, subprotocols=["a", "b"]) as c:
                await c.send("?")
                print(f"server chooses {choice}, {name}: client was told {c.subprotocol}, {await asyncio.wait_for(c.recv(), 5)}")

for choice in "b", None:
    asyncio.run(once(choice))
PY
timeout 40 v/bin/python peer.py "$PORT" > out || { tail -5 jupyter.log; exit 1; }
cat out
grep -qx 'server chooses b, directly: client was told b, server speaks b' out
grep -qx 'server chooses None, directly: client was told None, server speaks None' out
grep -qx 'server chooses b, through the proxy: client was told a, server speaks b' out
grep -qx 'server chooses None, through the proxy: client was told a, server speaks None' out
echo "As described above."
