#!/bin/bash
# The load tester Tsung never sends a Pong, and counts the server's Ping as the answer to its request.
#
# Guessed: Tsung answers a Ping with a Pong, and waits for a data message as the answer to its own message.
# Seen (Tsung 1.7.0, Debian's 1.7.0-3.1): a server sends nothing but a Ping "only" after the message "hello". Tsung goes on
#   to its next message at once: the request counts as answered, and no Pong comes. A Ping in a pause gets no Pong
#   either. The statistics (request, websocket_succ) look the same as with a server that answers.
# Why it matters: with a server that pings, the response times that Tsung reports are those of Pings, and each session
#   longer than the server's Pong deadline is ended as dead: the load test finds a limit that is Tsung's own. Switch the
#   server's pings off for such a test, and count the answers on the server.
# Standard: RFC 6455 section 5.5.2 (on a Ping an endpoint MUST send a Pong, unless it already received a Close).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
export DEBIAN_FRONTEND=noninteractive HOME=$T
P="erlang-base erlang-crypto erlang-ssl erlang-inets erlang-os-mon erlang-public-key erlang-snmp erlang-xmerl erlang-eldap"
V=1:25.2.3+dfsg-1+deb12u4
# shellcheck disable=SC2046,SC2086
install() { apt-get install -y --no-install-recommends $(for p in $P; do echo "$p=$V"; done) >apt.log 2>&1 && apt-get download tsung=1.7.0-3.1 >>apt.log 2>&1; }
install || { apt-get update -qq && install; } || { tail -3 apt.log; exit 1; }
dpkg -x tsung_*.deb tree
sed "s#^INSTALL_DIR=/usr#INSTALL_DIR=$T/tree/usr#" tree/usr/bin/tsung > tsung.sh
dpkg-query -W -f '${Package} ${Version}\n' erlang-base
echo "tsung 1.7.0-3.1"
# An Erlang name server of our own, so that none stays behind.
ERL_EPMD_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ERL_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1
epmd & PIDS=$!

cat > server.py <<'PY'
import base64, hashlib, socket, sys, threading, time
s = socket.create_server(("127.0.0.1", 0))
print("PORT", s.getsockname()[1], flush=True)
c = s.accept()[0]; c.settimeout(15)
buf = b""
def need(n):
    global buf
    while len(buf) < n:
        data = c.recv(4096)
        if not data: raise EOFError
        buf += data
    got, buf = buf[:n], buf[n:]
    return got
head = b""
while not head.endswith(b"\r\n\r\n"): head += need(1)
key = [l.split(b":")[1].strip() for l in head.split(b"\r\n") if l.lower().startswith(b"sec-websocket-key")][0]
c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
          + base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()) + b"\r\n\r\n")
def later():
    time.sleep(1); c.sendall(b"\x89\x05pause")
try:
    while True:
        op, n = need(2)
        mask = need(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(need(n & 127)))
        name = {1: "text", 2: "binary", 8: "Close", 10: "Pong"}[op & 15]
        print(f"server got {name} {data[2:] if name == 'Close' else data}", flush=True)
        if name == "Close": c.sendall(b"\x88\x02\x03\xe8"); break
        if data == b"hello":
            c.sendall(b"\x89\x04only"); print("server sent only a Ping", flush=True)
        if data == b"second":
            c.sendall(b"\x81\x06answer"); print("server sent a text, and a Ping in the pause after it", flush=True)
            threading.Thread(target=later).start()
except (EOFError, OSError): pass
PY
python3 server.py > server.log & PIDS="$PIDS $!"
for _ in $(seq 100); do grep -q PORT server.log && break; sleep 0.1; done
cat > test.xml <<XML
<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "$T/tree/usr/share/tsung/tsung-1.0.dtd">
<tsung loglevel="notice" version="1.0">
<clients><client host="localhost" use_controller_vm="true" maxusers="1"/></clients>
<servers><server host="127.0.0.1" port="$(sed -n 's/^PORT //p' server.log)" type="tcp"/></servers>
<load><arrivalphase phase="1" duration="2" unit="second"><users maxnumber="1" interarrival="1" unit="second"/></arrivalphase></load>
<sessions><session name="s" probability="100" type="ts_websocket">
<request><websocket type="connect" path="/"></websocket></request>
<request><websocket type="message" frame="text">hello</websocket></request>
<request><websocket type="message" frame="text">second</websocket></request>
<thinktime value="3"/>
<request><websocket type="message" frame="text" ack="no_ack">third</websocket></request>
<request><websocket type="close"></websocket></request>
</session></sessions></tsung>
XML
timeout 90 bash tsung.sh -n -F -f test.xml -l log -I 127.0.0.1 start > tsung.log 2>&1 || { tail -5 tsung.log; exit 1; }
sleep 1
grep server server.log
grep -hE '^stats: (request|websocket_succ) ' log/*/tsung.log | tail -2
sed -n 2,6p server.log > got
diff got - <<'X'
server got text b'hello'
server sent only a Ping
server got text b'second'
server sent a text, and a Ping in the pause after it
server got text b'third'
X
if grep -q Pong server.log; then exit 1; fi
grep -hq '^stats: websocket_succ . 1' log/*/tsung.log
echo "As described above."
