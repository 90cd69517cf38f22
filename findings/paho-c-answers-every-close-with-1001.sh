#!/bin/bash
# Eclipse Paho C answers every Close with 1001 "going away", and then sends an MQTT packet without a frame.
#
# Guessed: Close 1000 is answered with 1000 (or an empty Close), and nothing follows.
# Seen (libpaho-mqtt1.3 1.3.12-1 of Debian 12): Close 1000 "bye", an empty Close and Close 4001 are all answered with
#   Close 1001, followed by the two raw bytes e0 00: an MQTT DISCONNECT, not masked and without a frame header.
# Why it matters: the server's close code is not what the server sees in the answer, and statistics count a client that
#   "goes away" for each connection that the server ended. A server that still parses after the Close frame
#   finds reserved bits and opcode 0 there: discard what follows a Close, do not report it as a protocol error.
# Standard: RFC 6455 section 5.5.1 (an endpoint MUST NOT send more data frames after a Close; it typically echoes the
#   code), section 1.4 (after a Close frame a peer discards what follows).
set -eu
T=$(mktemp -d)
cleanup() { rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
apt-get download libpaho-mqtt1.3=1.3.12-1 >/dev/null 2>&1 || { apt-get update -qq && apt-get download libpaho-mqtt1.3=1.3.12-1 >/dev/null 2>&1; }
dpkg -x libpaho-mqtt1.3_*.deb lib
echo "libpaho-mqtt1.3 1.3.12-1"
cat > paho.py <<'PY'
# A scripted MQTT server on a raw socket, and the library's synchronous client through ctypes.
import base64, ctypes as C, glob, hashlib, socket, struct, threading, time

def frame(op, data=b"", fin=1):
    return bytes([fin << 7 | op, len(data)]) + data

def publish(data):
    return b"\x30" + bytes([3 + len(data)]) + b"\0\1t" + data

CONNACK = b"\x20\2\0\0"

class Peer:
    """The server's end of one connection: reads frames, falls back to raw bytes where none is masked."""
    def __init__(self, conn): self.conn, self.buf, self.log = conn, b"", []
    def head(self):
        while b"\r\n\r\n" not in self.buf: self.buf += self.conn.recv(4096)
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        key = [l.split(b":")[1].strip() for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key")][0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
    def read(self, seconds):
        """Everything that comes within the time, as a list of (opcode, payload) and ("raw", bytes)."""
        end = time.time() + seconds
        while time.time() < end:
            self.conn.settimeout(max(0.01, end - time.time()))
            try: data = self.conn.recv(4096)
            except TimeoutError: break
            except OSError: break
            if not data: break
            self.buf += data
        got = []
        while len(self.buf) >= 6 and self.buf[1] & 128 and self.buf[0] & 0x70 == 0:
            n = self.buf[1] & 127
            key, data = self.buf[2:6], self.buf[6:6 + n]
            got.append((self.buf[0] & 15, bytes(c ^ key[i % 4] for i, c in enumerate(data))))
            self.buf = self.buf[6 + n:]
        if self.buf: got.append(("raw", self.buf)); self.buf = b""
        return got

class Options(C.Structure):
    _fields_ = [("id", C.c_char * 4), ("version", C.c_int), ("keepalive", C.c_int), ("clean", C.c_int), ("reliable", C.c_int),
                ("will", C.c_void_p), ("user", C.c_char_p), ("password", C.c_char_p), ("timeout", C.c_int), ("retry", C.c_int),
                ("ssl", C.c_void_p), ("uris", C.c_int), ("uri", C.c_void_p), ("mqtt", C.c_int), ("r1", C.c_char_p),
                ("r2", C.c_int), ("r3", C.c_int), ("blen", C.c_int), ("bdata", C.c_void_p), ("inflight", C.c_int),
                ("start", C.c_int), ("headers", C.c_void_p), ("proxy", C.c_char_p), ("sproxy", C.c_char_p)]

class Message(C.Structure):
    _fields_ = [("id", C.c_char * 4), ("version", C.c_int), ("len", C.c_int), ("payload", C.c_void_p)]

keep = []
def run(script):
    """Runs one connection. Returns what connect() returned and the messages that the application got."""
    lib = C.CDLL(glob.glob("lib/usr/lib/*/libpaho-mqtt3c.so.1")[0])
    listener = socket.create_server(("127.0.0.1", 0))
    messages = []
    def serve():
        conn = listener.accept()[0]
        conn.settimeout(5)
        script(Peer(conn))
        conn.close()
    t = threading.Thread(target=serve); t.start()
    lost = C.CFUNCTYPE(None, C.c_void_p, C.c_char_p)(lambda a, b: None)
    def arrived(context, topic, n, m):
        messages.append(C.string_at(m.contents.payload, m.contents.len)); return 1
    on = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_void_p, C.c_int, C.POINTER(Message))(arrived)
    client = C.c_void_p()
    keep.append((lost, on, client))
    lib.MQTTClient_create(C.byref(client), f"ws://127.0.0.1:{listener.getsockname()[1]}".encode(), b"id", 1, None)
    lib.MQTTClient_setCallbacks(client, None, lost, on, None)
    rc = lib.MQTTClient_connect(client, C.byref(Options(id=b"MQTC", version=8, keepalive=60, clean=1, reliable=1, timeout=4, mqtt=4, inflight=-1)))
    t.join()
    return rc, messages
PY
cat > test.py <<'PY'
from paho import *
def script(close):
    def f(p):
        p.conn.sendall(p.head())
        assert p.read(0.7)[0][0] == 2
        p.conn.sendall(frame(2, CONNACK)); time.sleep(0.5)
        p.conn.sendall(frame(8, close))
        print("server closes with", close, "and gets", p.read(1.5))
    return f
for close in struct.pack(">H", 1000) + b"bye", b"", struct.pack(">H", 4001):
    run(script(close))
PY
timeout 60 python3 test.py > out; cat out
[ "$(wc -l < out)" = 3 ]
[ "$(grep -Fc "and gets [(8, b'\x03\xe9'), ('raw', b'\xe0\x00')]" out)" = 3 ]
echo "As described above."
