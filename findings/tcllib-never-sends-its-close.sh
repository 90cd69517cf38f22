#!/bin/bash
# tcllib 1.21 (websocket 1.4.2): `websocket::close` sends no Close frame, neither first nor in answer.
#
# Guessed: `websocket::close $sock 4999 bye` sends a Close with this code and reason, as its manual says, and a Close of the server
#   is answered before the connection ends.
# Seen: the procedure sets the connection's state to CLOSED and then calls `websocket::send`, which sends nothing in that state.
#   The server sees the end of TCP only: 1006. The program itself is told "close 4999 bye", as if all were well.
# Why it matters: a server counts each of these clients as one that was lost, and cannot be told why it left.
# Standard: RFC 6455 section 7.1.2 (to start the closing handshake an endpoint MUST send a Close frame) and 5.5.1.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
dpkg -s tcllib >/dev/null 2>&1 || apt-get -qq install -y --no-install-recommends tcllib >/dev/null
cat > client.tcl <<'TCL'
package require websocket
proc handler {ws kind message} {
    if {$kind eq "text"} { websocket::close $ws 4999 bye }
    if {$kind eq "close"} { puts "told: close $message"; after 500 exit }
}
websocket::open [lindex $argv 0] handler
after 10000 exit
vwait forever
TCL
cat > run.py <<'PY'
import base64, hashlib, re, socket, subprocess

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
listener = socket.create_server(("127.0.0.1", 0))
url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
# A text, at which the program closes; and a Close with 1000 "done".
for name, frame in {"the client closes": b"\x81\x06please", "the server closes": b"\x88\x06\x03\xe8done"}.items():
    client = subprocess.Popen(["tclsh", "client.tcl", url], stdout=subprocess.PIPE, text=True)
    connection, _ = listener.accept()
    connection.settimeout(20)
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", connection.recv(65536))[1]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame
    )
    received = b""
    while data := connection.recv(65536):
        received += data
    out = client.communicate(timeout=20)[0].strip()
    print(f"{name}: the program is {out!r}; the server received {len(received)} bytes, then the end of TCP")
    assert received == b"" and out.startswith("told: close"), (received, out)
PY
python3 run.py
echo "As described above."
