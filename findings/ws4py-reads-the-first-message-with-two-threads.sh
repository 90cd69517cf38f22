#!/bin/bash
# ws4py 0.6.0: a message that comes with the 101 is read by two threads, and is lost or breaks the connection in many runs.
#
# Guessed: the bytes behind the response's head are the first of the frames; the client that has a thread for reading hands them
#   to that thread, or starts it after they are processed, so that it makes no difference which segment they come in.
# Seen (WebSocketClient of ws4py.client.threadedclient): `connect` starts the thread, and then processes those bytes itself. Both
#   feed the same parser. A server sends the 101 and a text of 70,000 bytes at once, while another thread of the client's program
#   is at work. In about half of 60 connections the client closes with 1002, or never has the message. When the server waits 200 ms
#   after the 101, all 60 have it.
# Why it matters: most servers that greet their clients write the 101 and the greeting at once. The fault shows rarely on an idle
#   machine and often on a busy one, so that it looks like a fault of the network.
# Standard: RFC 6455 section 4.1 (after the server's handshake is valid the connection is OPEN) and 5.2: frames follow the
#   handshake in the same stream of bytes.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile ws4py==0.6.0 >/dev/null
cat > run.py <<'PY'
import base64, hashlib, re, socket, sys, threading, time
from ws4py.client.threadedclient import WebSocketClient

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT = b"x" * 70000
FRAME = b"\x81\x7f" + len(TEXT).to_bytes(8, "big") + TEXT


def serve(listener, pause):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, pause), daemon=True).start()


def answer(connection, pause):
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", connection.recv(65536))[1]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    if pause:
        connection.sendall(head)
        time.sleep(0.2)
        connection.sendall(FRAME)
    else:
        connection.sendall(head + FRAME)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass


class Client(WebSocketClient):
    got = None

    def received_message(self, message):
        self.got = message.data


def count(pause):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, pause), daemon=True).start()
    # Something else has work to do, as in most programs.
    busy = True
    threading.Thread(target=lambda: [None for _ in iter(lambda: busy, False)], daemon=True).start()
    whole = 0
    for _ in range(60):
        client = Client(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        client.daemon = True
        try:
            client.connect()
            deadline = time.monotonic() + 1
            while client.got is None and not client.terminated and time.monotonic() < deadline:
                time.sleep(0.005)
        except Exception as error:
            print(type(error).__name__, error, file=sys.stderr)
        whole += client.got == TEXT
        client.close_connection()
    busy = False
    return whole


together, later = count(False), count(True)
print(f"with the 101: {together} of 60 have the message; 200 ms later: {later} of 60")
sys.exit(not (together < 60 and later == 60))
PY
v/bin/python run.py
echo "As described above."
