#!/bin/bash
# One fragmented compressed message and Wireshark shows nothing readable of that direction any more.
#
# Guessed: Wireshark knows permessage-deflate (it inflates single-frame messages and keeps the window between them) and
#   reassembles fragments, so it inflates fragmented messages too.
# Seen (tshark 4.0.17-0+deb12u3): three compressed messages, the second in two fragments. The first is shown as text. The
#   second is reassembled but shown as raw DEFLATE bytes. The third, in one frame, is not shown as text either, since
#   the window was not moved on. The same exchange without compression is shown in full - unless the last fragment is
#   empty, as the Python library websockets sends it (17.4): then a fragmented message is never put together.
# Why it matters: whoever looks for a fault in a capture sees garbage from there on and suspects the sender. Streamed
#   sends (fragments) over compressed connections are common. For captures switch compression off, or log at the endpoint.
# Standard: RFC 6455 section 5.4 (fragments), RFC 7692 section 6.1 and 6.2 (a message is compressed as a whole, then fragmented; RSV1 is on the first only).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
export DEBIAN_FRONTEND=noninteractive
tshark --version 2>/dev/null | grep -q 'packaged as 4.0.17-0+deb12u3' || {
  apt-get update -qq >/dev/null 2>&1 || :
  apt-get install -y --no-install-recommends tshark=4.0.17-0+deb12u3 >apt.log 2>&1 || { tail -3 apt.log; exit 1; }
}
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > server.js <<'JS'
const { WebSocketServer } = require('ws');
const s = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });
const later = (ms, f) => setTimeout(f, ms);
s.on('listening', () => console.log(s.address().port));
s.on('connection', (w) => {
  w.send('the first message, the first message');
  later(200, () => { w.send('the second message, ', { fin: false }); w.send('the second message', { fin: true }); });
  later(400, () => w.send('the third message, the third message'));
  later(600, () => w.close());
});
JS
cat > record.py <<'PY'
# websockets talks to websockets through a relay that writes what passes as a capture file (one packet for each read).
import asyncio, struct, sys
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def handler(ws):
    await ws.send("the first message, the first message")
    await asyncio.sleep(0.2)
    await ws.send(["the second message, ", "the second message"])
    await asyncio.sleep(0.2)
    await ws.send("the third message, the third message")

def capture(name, segments):
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    seq, ends = [1000, 5000], [(b"\x7f\0\0\1", 40000), (b"\x7f\0\0\2", 8080)]
    def packet(d, flags, data=b""):
        (a, ap), (b, bp) = ends[d], ends[1 - d]
        tcp = struct.pack(">HHIIBBHHH", ap, bp, seq[d], seq[1 - d] if flags != 2 else 0, 0x50, flags, 65000, 0, 0) + data
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, a, b) + tcp
        out.append(struct.pack("<IIII", 1700000000 + len(out), 0, len(ip), len(ip)) + ip)
        seq[d] += len(data) + (flags & 2) // 2
    packet(0, 2); packet(1, 0x12); packet(0, 0x10)
    for d, data in segments: packet(d, 0x18, data)
    open(name, "wb").write(b"".join(out))

async def main(name, compression, node):
    segments = []
    async def relay(r, w):
        r2, w2 = await asyncio.open_connection("127.0.0.1", port)
        async def pump(d, a, b):
            while (data := await a.read(65536)):
                segments.append((d, data)); b.write(data)
            b.close()
        await asyncio.gather(pump(0, r, w2), pump(1, r2, w))
    async with serve(handler, "127.0.0.1", 0, compression=compression) as s:
        port = node or s.sockets[0].getsockname()[1]
        front = await asyncio.start_server(relay, "127.0.0.1", 0)
        async with connect(f"ws://127.0.0.1:{front.sockets[0].getsockname()[1]}", compression=compression) as c:
            got = [m async for m in c]
        await asyncio.sleep(0.3)
    print(name, "client got", got)
    capture(name, segments)

asyncio.run(main("plain.pcap", None, int(sys.argv[1])))
asyncio.run(main("deflate.pcap", "deflate", int(sys.argv[1])))
asyncio.run(main("empty.pcap", None, None))
PY
tshark --version 2>/dev/null | head -1
v/bin/pip list 2>/dev/null | grep '^websockets '
node -p "'ws ' + JSON.parse(require('fs').readFileSync('node_modules/ws/package.json')).version"
node server.js > port & PIDS=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
timeout 30 v/bin/python record.py "$(cat port)"
for c in plain deflate empty; do
  tshark -r $c.pcap -V -Y 'websocket && ip.src == 127.0.0.2' > $c.txt 2>/dev/null
  for m in first second third; do
    grep -q "Text: the $m message, the $m message" $c.txt && echo "$c: $m message shown" || echo "$c: $m message not shown"
  done
done > out
cat out
grep 'Reassembled websocket' deflate.txt
for m in first second third; do grep -qx "plain: $m message shown" out; done
grep -qx "deflate: first message shown" out
grep -qx "deflate: second message not shown" out
grep -qx "deflate: third message not shown" out
grep -qx "empty: first message shown" out
grep -qx "empty: second message not shown" out
grep -qx "empty: third message shown" out
grep -q 'Per-Message Compressed: True' deflate.txt
grep -q 'Reassembled websocket Fragments' deflate.txt
echo "As described above."
