#!/bin/bash
# systemd-socket-proxyd ends both directions as soon as one side half-closes: the answer to a Close is lost.
#
# Guessed: the proxy that systemd ships for socket activation splices two sockets and passes a half-close on, since it
#   knows nothing about the protocol. socat, with its 0.5 s limit, was thought to be the odd one.
# Seen (systemd 252.39-1~deb12u2, socat 1.7.4.4-2): a client sends Close 1000 and then FIN; the server answers with a Close
#   after 0.1 s. socat delivers the answer (after 1 s it does not, as documented); behind systemd-socket-proxyd the
#   client sees the end of TCP with no Close frame, each time. The other way round (server: Close and FIN, client
#   answers 0.1 s later) the answer is lost as well, while socat delivers it.
# Why it matters: with on-demand services behind a .socket unit, every connection whose closing side half-closes ends as 1006
#   on that side, although both peers closed cleanly. Do not half-close before the peer's Close has come, or hand the
#   listening socket to the server itself (LISTEN_FDS) instead of using the proxy.
# Standard: RFC 6455 section 7.1.1 (the TCP connection is closed after both Close frames), section 5.5.1.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
P="systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 socat=1.7.4.4-2 libwrap0 libip4tc2 libkmod2 libseccomp2 libgcrypt20 libssl3"
# shellcheck disable=SC2086
apt-get download $P >apt.log 2>&1 || { apt-get update -qq && apt-get download $P >apt.log 2>&1; } || { cat apt.log; exit 1; }
for d in *.deb; do dpkg -x "$d" tree; done
ls ./*.deb | grep -E '/(systemd|socat)_' | sed 's#./##; s/_amd64.*\|_arm64.*//'
cat > test.py <<'PY'
import base64, glob, os, socket, subprocess, sys, threading, time
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CLOSE, MASKED = b"\x88\x02\x03\xe8", b"\x88\x82\0\0\0\0\x03\xe8"
heard = []
def read(c, seconds=3):
    data = b""
    c.settimeout(seconds)
    try:
        while (d := c.recv(4096)): data += d
        return data, "end of TCP"
    except TimeoutError: return data, "open"
    except OSError as e: return data, type(e).__name__
def serve(c):
    head = b""
    while b"\r\n\r\n" not in head:
        d = c.recv(4096)
        if not d: return                      # a look whether the port is open
        head += d
    path = head.split()[1].decode()
    c.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n".encode())
    if path == "/server":
        c.sendall(CLOSE); c.shutdown(socket.SHUT_WR)
        heard.append(read(c)[0] == MASKED)
    else:
        while not c.recv(4096).endswith(b"\x03\xe8"): pass
        time.sleep(float(path[1:]))
        try: c.sendall(CLOSE)
        except OSError: pass
    c.close()
s = socket.create_server(("127.0.0.1", 0)); to = s.getsockname()[1]
def accept():
    while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
env = {**os.environ, "LD_LIBRARY_PATH": ":".join(glob.glob(os.getcwd() + "/tree/usr/lib/*-linux-gnu") + glob.glob(os.getcwd() + "/tree/lib/*-linux-gnu")
                                             + glob.glob(os.getcwd() + "/tree/*/lib/systemd") + [os.getcwd() + "/tree/usr/lib/systemd", os.getcwd() + "/tree/lib/systemd"])}
ACTIVATE = """import os, sys
os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])"""
def start(name):
    l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("127.0.0.1", 0)); port = l.getsockname()[1]
    null = dict(stdout=subprocess.DEVNULL, stderr=open(name + ".err", "w"), env=env)
    if name == "systemd-socket-proxyd":
        l.listen(10)
        p = subprocess.Popen([sys.executable, "-c", ACTIVATE, str(l.fileno()), "tree/lib/systemd/systemd-socket-proxyd", f"127.0.0.1:{to}"], pass_fds=(l.fileno(),), **null)
        l.close()
        return p, port
    l.close()
    cmd = ["tree/usr/bin/socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"TCP:127.0.0.1:{to}"]
    p = subprocess.Popen(cmd, **null)
    for _ in range(100):
        try: socket.create_connection(("127.0.0.1", port), 1).close(); break
        except OSError: time.sleep(0.1)
    return p, port
def client(port, path):
    c = socket.create_connection(("127.0.0.1", port), 10); c.settimeout(10)
    c.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head: head += c.recv(1)
    return c
for name in "socat", "systemd-socket-proxyd":
    p, port = start(name)
    try:
        for delay in "0.1", "1":
            c = client(port, "/" + delay); c.sendall(MASKED); c.shutdown(socket.SHUT_WR)
            data, end = read(c, 5)
            print(f"{name}: client closes, server answers after {delay} s: {'Close, then ' if data == CLOSE else 'no Close, only '}{end}", flush=True)
        c = client(port, "/server")
        while c.recv(4) != CLOSE: pass
        time.sleep(0.1)
        try: c.sendall(MASKED)
        except OSError: pass
        time.sleep(0.5); c.close(); time.sleep(0.3)
        if not heard: time.sleep(3)
        print(f"{name}: server closes, client answers after 0.1 s: the server gets {'the Close' if heard.pop() else 'no Close'}", flush=True)
    finally: p.terminate(); p.wait()
PY
timeout 90 python3 test.py > out || { cat out ./*.err; exit 1; }
cat out
grep -qx "socat: client closes, server answers after 0.1 s: Close, then end of TCP" out
grep -qx "socat: client closes, server answers after 1 s: no Close, only end of TCP" out
grep -qx "socat: server closes, client answers after 0.1 s: the server gets the Close" out
for d in 0.1 1; do grep -q "^systemd-socket-proxyd: client closes, server answers after $d s: no Close" out; done
grep -qx "systemd-socket-proxyd: server closes, client answers after 0.1 s: the server gets no Close" out
echo "As described above."
