#!/bin/bash
# Eclipse Paho's Python client ends a WebSocket connection without a Close frame: each clean disconnect() is a 1006.
#
# Guessed: disconnect() sends MQTT DISCONNECT, then Close 1000 or an empty Close, as Paho C and MQTT.js do.
# Seen (paho-mqtt 2.2.0, against websockets 17.4): MQTT DISCONNECT arrives, then TCP ends. The application is told
#   "Normal disconnection"; the server's WebSocket layer reports 1006, no Close frame received. The library has a Close
#   frame: it answers the server's. MQTT.js 5.16.0 on ws 8.23.0 sends an empty Close (1005).
# Why it matters: a dashboard of close codes, or a server that keeps sessions after abnormal ends, counts every Python
#   device as broken. For subprotocol `mqtt` judge by the MQTT DISCONNECT packet, not by the close code.
# Standard: RFC 6455 section 7.1.2 (to close, an endpoint sends a Close frame), section 7.1.5 (1006 if none came).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile paho-mqtt==2.2.0 websockets==17.4
npm init -y >/dev/null
npm i --silent --no-audit --no-fund mqtt@5.16.0 ws@8.23.0 >/dev/null
v/bin/pip list 2>/dev/null | grep -E '^(paho-mqtt|websockets) '
node -p "'mqtt ' + JSON.parse(require('fs').readFileSync('node_modules/mqtt/package.json')).version"
cat > server.py <<'PY'
import asyncio
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
async def broker(ws):
    data, last, answered = b"", b"", False
    try:
        while True:
            last = await ws.recv()
            data += last
            if not answered and len(data) > 1 and len(data) >= 2 + data[1]:
                answered = True
                await ws.send(b"\x20\2\0\0")
    except ConnectionClosed as e:
        code = e.rcvd.code if e.rcvd else 1006
    print("server: last bytes", data[-2:].hex(" "), "close code", code, flush=True)
async def main():
    async with serve(broker, "127.0.0.1", 0, subprotocols=["mqtt"]) as s:
        print("PORT", s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
PY
cat > client.py <<'PY'
import sys, time
import paho.mqtt.client as mqtt
c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, transport="websockets")
c.on_connect = lambda c, *a: c.disconnect()
c.on_disconnect = lambda c, u, f, reason, p: print("paho-mqtt:", reason, flush=True)
c.connect("127.0.0.1", int(sys.argv[1]))
c.loop_forever()
PY
cat > client.js <<'JS'
const c = require('mqtt').connect(`ws://127.0.0.1:${process.argv[2]}/mqtt`);
c.on('connect', () => c.end(() => console.log('mqtt.js: ended')));
JS
v/bin/python server.py > server.log & PIDS=$!
for _ in $(seq 100); do grep -q PORT server.log && break; sleep 0.1; done
PORT=$(sed -n 's/^PORT //p' server.log)
timeout 30 v/bin/python client.py "$PORT" > out; sleep 1; grep server: server.log >> out
timeout 30 node client.js "$PORT" >> out; sleep 1; grep server: server.log | tail -1 >> out
cat out
sed -n 1p out | grep -qx 'paho-mqtt: Normal disconnection'
sed -n 2p out | grep -qx 'server: last bytes e0 00 close code 1006'
sed -n 4p out | grep -qx 'server: last bytes e0 00 close code 1005'
echo "As described above."
