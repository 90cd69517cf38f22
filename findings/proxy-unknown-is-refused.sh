#!/bin/bash
# "PROXY UNKNOWN", which haproxy and nginx write for clients of a Unix socket, is refused by Apache, Varnish, Twisted and gunicorn.
#
# Guessed: every receiver of the PROXY protocol accepts both forms of its line for unknown clients, the short one and the one
#   with addresses, ignores what stands behind UNKNOWN, and takes the sender's own address.
# Seen: 1. haproxy 2.6.12 with send-proxy and the stream module of nginx 1.22.1 write "PROXY UNKNOWN\r\n" when their client
#      came over a Unix socket. Varnish 7.1.1 writes "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n": the client is 0.0.0.0.
#   2. That short line: nginx and haproxy accept it. Apache httpd 2.4.71 (mod_remoteip), Varnish and Twisted 26.10.0 end the
#      connection without an answer; gunicorn 27.0.1 answers 400.
#   3. The longest line that the specification prints, UNKNOWN with two IPv6 addresses: nginx, Apache and Twisted accept it, the
#      latter two only this one. haproxy itself, Varnish and gunicorn refuse it.
#   4. With send-proxy-v2 haproxy sends LOCAL for the same client, and all six accept it.
# Why it matters: one haproxy in front of another over a Unix socket, or a local client, fails behind an Apache that works for TCP
#   clients. Use version 2 of the protocol where a Unix socket is on the way; a receiver must take both lines.
# Standard: the PROXY protocol's specification (haproxy, doc/proxy-protocol.txt) section 2.1: for UNKNOWN "the rest of the line before
#   the CRLF may be omitted by the sender, and the receiver must ignore anything presented before the CRLF is found"; a
#   receiver "SHOULD accept the connection". It warns senders that some receivers reject the word.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
P=(haproxy=2.6.12-1+deb12u4 nginx=1.22.1-9+deb12u11 libnginx-mod-stream=1.22.1-9+deb12u11 apache2-bin=2.4.71-1~deb12u1 varnish=7.1.1-2+deb12u1
  libvarnishapi3 libjemalloc2 libapr1 libaprutil1 libexpat1 liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-8-0)
apt-get download "${P[@]}" >apt.log 2>&1 || { apt-get update -qq && apt-get download "${P[@]}" >apt.log 2>&1; } || { cat apt.log; exit 1; }
for d in *.deb; do dpkg -x "$d" tree; done
ls ./*.deb | grep -E '/(haproxy|nginx|apache2-bin|varnish)_' | sed 's#./##; s/_amd64.*\|_arm64.*//'
python3 -m venv v
v/bin/pip -q install --no-compile twisted==26.10.0 gunicorn==27.0.1
v/bin/pip list 2>/dev/null | grep -iE '^(twisted|gunicorn) '
cat > twisted_.py <<'PY'
import sys
from twisted.internet import endpoints, protocol, reactor
class P(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\r\n\r\nclient [" + str(self.transport.getPeer().host).encode() + b"]"); self.transport.loseConnection()
endpoints.serverFromString(reactor, "haproxy:tcp:" + sys.argv[1] + ":interface=127.0.0.1").listen(protocol.Factory.forProtocol(P))
reactor.run()
PY
cat > app.py <<'PY'
def app(env, start):
    start("200 OK", []); return [f"client [{env['REMOTE_ADDR']}]".encode()]
PY
cat > test.py <<'PY'
import glob, os, socket, subprocess, threading, time
T = os.getcwd(); lib = glob.glob(T + "/tree/usr/lib/*-linux-gnu")[0]
env = {**os.environ, "LD_LIBRARY_PATH": lib + ":" + lib + "/varnish", "HOME": T}
def free():
    s = socket.socket(); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]; s.close()
    return p
port = {n: free() for n in ("nginx", "haproxy", "Apache", "Varnish", "Twisted", "gunicorn", "raw")}
def write(name, text): open(name, "w").write(text)
temporary = "; ".join(f"{n}_temp_path {T}/tmp-{n}" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
write("nginx.conf", f"""load_module {T}/tree/usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid {T}/nginx.pid; error_log {T}/nginx.err; events {{}}
http {{ access_log off; {temporary}; server {{ listen 127.0.0.1:{port['nginx']} proxy_protocol; location / {{ return 200 "client [$proxy_protocol_addr]"; }} }} }}
stream {{ server {{ listen unix:{T}/nginx.sock; proxy_pass 127.0.0.1:{port['raw']}; proxy_protocol on; }} }}
""")
ends = "".join(f"""listen {name}-{send}
 mode tcp
 bind {T}/{name}-{send}.sock
 server s 127.0.0.1:{p} {send}
""" for name, p in port.items() for send in ("send-proxy", "send-proxy-v2"))
write("haproxy.cfg", f"""defaults
 timeout client 5s
 timeout server 5s
 timeout connect 5s
{ends}frontend receiver
 mode http
 bind 127.0.0.1:{port['haproxy']} accept-proxy
 http-request return status 200 content-type text/plain lf-string "client [%[src]]"
""")
write("apache.conf", f"""ServerRoot {T}
PidFile {T}/apache.pid
ServerName localhost
Listen 127.0.0.1:{port['Apache']}
ErrorLog {T}/apache.err
""" + "".join(f"LoadModule {m}_module {T}/tree/usr/lib/apache2/modules/mod_{m}.so\n" for m in ("mpm_event", "authz_core", "remoteip", "headers"))
+ 'RemoteIPProxyProtocol On\nHeader always set X-Client "expr=client [%{REMOTE_ADDR}]"\n')
write("varnish.vcl", f"""vcl 4.1; backend raw {{ .host = "127.0.0.1"; .port = "{port['raw']}"; .proxy_header = 1; }}
sub vcl_recv {{ if (req.url == "/raw") {{ return (pass); }} return (synth(200, "client [" + client.ip + "]")); }}
""")
heard = []
def raw():
    s = socket.create_server(("127.0.0.1", port["raw"]))
    while True:
        c = s.accept()[0]; c.settimeout(3); b = b""
        try:
            while b"GET /" not in b and (d := c.recv(4096)): b += d
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError: pass
        c.close()
        if b: heard.append(b.split(b"GET /")[0])
threading.Thread(target=raw, daemon=True).start()
running = [subprocess.Popen(cmd, env=env, stdout=open(cmd[0].split("/")[-1] + ".log", "w"), stderr=subprocess.STDOUT) for cmd in (
    ["tree/usr/sbin/nginx", "-p", T, "-c", T + "/nginx.conf"], ["tree/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"],
    ["tree/usr/sbin/apache2", "-X", "-f", T + "/apache.conf"],
    ["tree/usr/sbin/varnishd", "-F", "-j", "none", "-n", T + "/varnish", "-s", "malloc,20m", "-f", T + "/varnish.vcl",
     "-a", f"127.0.0.1:{port['Varnish']},PROXY", "-a", T + "/varnish.sock"],
    ["v/bin/python", "twisted_.py", str(port["Twisted"])],
    ["v/bin/gunicorn", "--proxy-protocol", "auto", "--no-control-socket", "-b", f"127.0.0.1:{port['gunicorn']}", "app:app"])]
def ask(to, first=b"", path=b"/"):
    if isinstance(to, str): s = socket.socket(socket.AF_UNIX); s.connect(to)
    else: s = socket.create_connection(("127.0.0.1", to), 5)
    s.settimeout(5); b = b""
    try:
        s.sendall(first + b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while d := s.recv(4096): b += d
    except ConnectionError: pass
    if b"client [" in b: return "client " + (b.split(b"client [")[1].split(b"]")[0].decode() or "not named")
    return b.split(b"\r\n")[0].decode()[:12] or "end of TCP"
SHORT = b"PROXY UNKNOWN\r\n"
LONG = b"PROXY UNKNOWN" + b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" * 2 + b" 65535 65535\r\n"
assert len(LONG) == 107
try:
    for name, p in port.items():
        if name == "raw": continue
        for _ in range(200):
            try: ask(p, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"); break
            except OSError: time.sleep(0.1)
        tcp = ask(p, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"); assert tcp == "client 192.0.2.1", (name, tcp)
    for what, to, path in ("haproxy, send-proxy", "raw-send-proxy.sock", b"/"), ("nginx", "nginx.sock", b"/"), ("Varnish", "varnish.sock", b"/raw"):
        heard.clear(); ask(T + "/" + to, path=path)
        while not heard: time.sleep(0.1)
        print(f"{what} writes {heard[0]!r}")
    for name, p in port.items():
        if name == "raw": continue
        print(f"{name}: short {ask(p, SHORT)}; long {ask(p, LONG)}; haproxy's send-proxy {ask(f'{T}/{name}-send-proxy.sock')}; "
              f"haproxy's send-proxy-v2 {ask(f'{T}/{name}-send-proxy-v2.sock')}", flush=True)
finally:
    for p in running: p.terminate()
    for p in running: p.wait()
PY
timeout 120 python3 test.py > out || { cat out; tail -n 3 ./*.log; exit 1; }
cat out
grep -qxF "haproxy, send-proxy writes b'PROXY UNKNOWN\r\n'" out
grep -qxF "nginx writes b'PROXY UNKNOWN\r\n'" out
grep -qxF "Varnish writes b'PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n'" out
OK="client [^;]*"; NO="end of TCP"
grep -qxE "nginx: short $OK; long $OK; haproxy's send-proxy $OK; haproxy's send-proxy-v2 $OK" out
grep -qxE "haproxy: short $OK; long $NO; haproxy's send-proxy $OK; haproxy's send-proxy-v2 $OK" out
for n in Apache Twisted; do grep -qxE "$n: short $NO; long $OK; haproxy's send-proxy $NO; haproxy's send-proxy-v2 $OK" out; done
grep -qxE "Varnish: short $NO; long $NO; haproxy's send-proxy $NO; haproxy's send-proxy-v2 $OK" out
grep -qxE "gunicorn: short HTTP/1.1 400; long HTTP/1.1 400; haproxy's send-proxy HTTP/1.1 400; haproxy's send-proxy-v2 $OK" out
echo "As described above."
