#!/bin/bash
# websocket-client 1.9.2 tells `on_data` that a message in fragments is a continuation, not text or binary.
#
# Guessed: `on_data` is called once per message with the message's type, "TEXT, BINARY or CONT" as its documentation says, where
#   CONT is for programs that ask for single fragments by `on_cont_message`; a joined message has the type of its first frame.
# Seen (WebSocketApp, no on_cont_message): one frame of text gives opcode 1 and a str, one of binary gives 2. The same text in two
#   frames gives opcode 0 (continuation), and so does the same binary message: the type of the last frame.
# Why it matters: a program that sends the data back, or decides by the type, works until a server or a proxy fragments; then
#   `send(data, opcode)` writes a continuation frame without a message, and the peer closes with 1002.
# Standard: RFC 6455 section 5.4: an intermediary may change the fragmentation of a message, so applications must not depend on it.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websocket-client==1.9.2 websockets==17.4 >/dev/null
cat > run.py <<'PY'
import threading
import websocket
from websockets.sync.server import serve


def handle(ws):
    ws.send("text")
    ws.send(b"binary")
    ws.send(["te", "xt"])
    ws.send([b"bin", b"ary"])


seen, messages = [], []
with serve(handle, "127.0.0.1", 0, compression=None) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    websocket.WebSocketApp(
        f"ws://127.0.0.1:{server.socket.getsockname()[1]}/",
        on_data=lambda ws, data, opcode, last: seen.append((opcode, data)),
        on_message=lambda ws, data: messages.append(data),
    ).run_forever()
    server.shutdown()
print("on_data:", seen)
print("on_message:", messages)
assert [opcode for opcode, _ in seen] == [1, 2, 0, 0], seen
assert messages == ["text", b"binary", "text", b"binary"], messages
PY
v/bin/python run.py
echo "As described above."
