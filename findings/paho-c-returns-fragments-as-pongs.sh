#!/bin/bash
# Eclipse Paho C sends the pieces of a fragmented message back to the server as Pongs if a Ping stands between them.
#
# Guessed: a Ping between two fragments is answered by a Pong with the Ping's payload, and the message arrives.
# Seen (libpaho-mqtt1.3 1.3.12-1 of Debian 12): an MQTT PUBLISH in two fragments with a Ping "x" between them. The server
#   gets two Pongs: the first holds the first fragment's bytes and then "x", the second holds the other fragment. The
#   application gets nothing. Without the Ping the same two fragments arrive as one message.
# Why it matters: an endpoint that fragments and keeps alive at the same time loses messages with this client without any
#   error, and what it counts as a Pong does not match its Ping. To MQTT clients send each message as one frame; match
#   Pongs by payload before you call a connection alive, and take nothing else from them.
# Standard: RFC 6455 section 5.4 (control frames MAY stand between fragments), 5.5.3 (a Pong holds the Ping's payload).
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
whole = publish(b"hello")
def script(frames):
    def f(p):
        p.conn.sendall(p.head())
        assert p.read(0.7)[0][0] == 2
        p.conn.sendall(frame(2, CONNACK)); time.sleep(0.5)
        p.conn.sendall(frames)
        print("the server gets", p.read(1))
    return f
print("without Ping: the application gets", run(script(frame(2, whole[:5], 0) + frame(0, whole[5:])))[1])
print("with Ping: the application gets", run(script(frame(2, whole[:5], 0) + frame(9, b"x") + frame(0, whole[5:])))[1])
PY
timeout 60 python3 test.py > out; cat out
sed -n 1p out | grep -qx "the server gets \[\]"
sed -n 2p out | grep -qx "without Ping: the application gets \[b'hello'\]"
sed -n 3p out | grep -Fqx "the server gets [(10, b'0\x08\x00\x01tx'), (10, b'hello')]"
sed -n 4p out | grep -qx "with Ping: the application gets \[\]"
echo "As described above."
