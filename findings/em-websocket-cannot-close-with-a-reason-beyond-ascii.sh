#!/bin/bash
# em-websocket 0.5.1 (Ruby): a close reason beyond ASCII raises an error, and the client sees another code and reason.
#
# Guessed: `ws.close(1000, "Schluß")` sends 1000 with the reason in UTF-8, as `ws.send_text` does with texts.
# Seen: the code in binary and the reason in UTF-8 are joined, which Ruby refuses: Encoding::CompatibilityError. It is raised in the
#   handler that closes; em-websocket catches it and closes with 3000 "Application error". An ASCII reason arrives.
# Why it matters: the client takes the normal end for a fault of the application, and may connect again without end.
# Standard: RFC 6455 section 5.5.1 (the reason is UTF-8) and 7.4.2 (3000 to 3999 are for registered codes).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
dpkg -s ruby-em-websocket >/dev/null 2>&1 || apt-get -qq install -y --no-install-recommends ruby-em-websocket >/dev/null
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4 >/dev/null
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > server.rb <<'RUBY'
# encoding: utf-8
require "em-websocket"
EM.run do
  EM::WebSocket.run(host: "127.0.0.1", port: ARGV[0].to_i) do |ws|
    ws.onmessage { |text| ws.close(1000, text == "ascii" ? "the end" : "Schluß") }
    ws.onerror { |error| puts error.class, error.message; $stdout.flush }
  end
end
RUBY
ruby server.rb "$PORT" > log & PIDS="$PIDS $!"
cat > client.py <<'PY'
import sys, time
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ends = []
for message in ("ascii", "beyond"):
    for _ in range(50):
        try:
            ws = connect(f"ws://127.0.0.1:{sys.argv[1]}/", proxy=None)
            break
        except OSError:
            time.sleep(0.1)
    ws.send(message)
    try:
        ws.recv(10)
    except ConnectionClosed as closed:
        ends.append((closed.rcvd.code, closed.rcvd.reason))
print(ends)
assert ends == [(1000, "the end"), (3000, "Application error")], ends
PY
v/bin/python client.py "$PORT"
cat log
grep -q Encoding log
echo "As described above."
