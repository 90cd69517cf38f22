#!/bin/bash
# A long host name in haproxy's PROXY header makes Apache end the connection: receivers' limits are 232, 404, 1,024 and 16,384 bytes.
#
# Guessed: receivers of the PROXY protocol take any header of version 2, whose length has 16 bits, or at least some KiB, and skip the
#   TLVs that they do not know.
# Seen: 1. the longest header that is accepted, with a TLV of type NOOP: Apache httpd 2.4.71 (mod_remoteip) 232 bytes, Varnish
#      7.1.1 404, nginx 1.22.1 1,024, haproxy 2.6.12 16,384; Twisted 26.10.0 and gunicorn 27.0.1 took 65,000. The
#      first four end the connection without an answer when it is longer.
#   2. haproxy 2.6.12 with TLS in front, and the proxy-v2-options ssl, cert-cn, ssl-cipher, cert-sig, cert-key, authority,
#      crc32c and unique-id, in front of Apache: a client that asks for a host name of 60 characters is served, one that asks for 100
#      characters is not. The name of the host is a TLV of the header, "authority".
# Why it matters: each test passes, and visitors of one long name (a preview, a tenant, a bucket) see connections end before
#   the first byte. Leave out proxy-v2-options that the receiver does not read; a receiver needs a limit above what names can
#   be: 255 bytes of authority alone.
# Standard: the PROXY protocol's specification (haproxy, doc/proxy-protocol.txt) section 2 (headers are designed to fit in 536 bytes),
#   section 2.2 (the length has 16 bits; a receiver may skip what follows the addresses), section 2.2.2 (PP2_TYPE_AUTHORITY: the
#   host name that the client asked for), section 2.2.4 (PP2_TYPE_NOOP).
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
P=(haproxy=2.6.12-1+deb12u4 nginx=1.22.1-9+deb12u11 apache2-bin=2.4.71-1~deb12u1 varnish=7.1.1-2+deb12u1
  libvarnishapi3 libjemalloc2 libapr1 libaprutil1 libexpat1 liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-8-0)
apt-get download "${P[@]}" >apt.log 2>&1 || { apt-get update -qq && apt-get download "${P[@]}" >apt.log 2>&1; } || { cat apt.log; exit 1; }
for d in *.deb; do dpkg -x "$d" tree; done
ls ./*.deb | grep -E '/(haproxy|nginx|apache2-bin|varnish)_' | sed 's#./##; s/_amd64.*\|_arm64.*//'
python3 -m venv v
v/bin/pip -q install --no-compile twisted==26.10.0 gunicorn==27.0.1
v/bin/pip list 2>/dev/null | grep -iE '^(twisted|gunicorn) '
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat key.pem cert.pem > both.pem
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
import glob, os, socket, ssl, struct, subprocess, time
T = os.getcwd(); lib = glob.glob(T + "/tree/usr/lib/*-linux-gnu")[0]
env = {**os.environ, "LD_LIBRARY_PATH": lib + ":" + lib + "/varnish", "HOME": T}
def free():
    s = socket.socket(); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]; s.close()
    return p
port = {n: free() for n in ("Apache", "Varnish", "nginx", "haproxy", "Twisted", "gunicorn")}
def write(name, text): open(name, "w").write(text)
temporary = "; ".join(f"{n}_temp_path {T}/tmp-{n}" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
write("nginx.conf", f"""daemon off; pid {T}/nginx.pid; error_log {T}/nginx.err; events {{}}
http {{ access_log off; {temporary}; server {{ listen 127.0.0.1:{port['nginx']} proxy_protocol; location / {{ return 200 "client [$proxy_protocol_addr]"; }} }} }}
""")
OPTIONS = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id"
front = free()
write("haproxy.cfg", f"""defaults
 timeout client 5s
 timeout server 5s
 timeout connect 5s
listen front
 mode tcp
 bind 127.0.0.1:{front} ssl crt {T}/both.pem
 unique-id-format %ci:%cp_%fi:%fp_%Ts_%rt:%pid
 server s 127.0.0.1:{port['Apache']} send-proxy-v2 proxy-v2-options {OPTIONS}
frontend receiver
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
write("varnish.vcl", 'vcl 4.1; backend b none; sub vcl_recv { return (synth(200, "client [" + client.ip + "]")); }')
running = [subprocess.Popen(cmd, env=env, stdout=open(cmd[0].split("/")[-1] + ".log", "w"), stderr=subprocess.STDOUT) for cmd in (
    ["tree/usr/sbin/nginx", "-p", T, "-c", T + "/nginx.conf"], ["tree/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"],
    ["tree/usr/sbin/apache2", "-X", "-f", T + "/apache.conf"],
    ["tree/usr/sbin/varnishd", "-F", "-j", "none", "-n", T + "/varnish", "-s", "malloc,20m", "-f", T + "/varnish.vcl", "-a", f"127.0.0.1:{port['Varnish']},PROXY"],
    ["v/bin/python", "twisted_.py", str(port["Twisted"])],
    ["v/bin/gunicorn", "--proxy-protocol", "auto", "--no-control-socket", "-b", f"127.0.0.1:{port['gunicorn']}", "app:app"])]
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
def answer(s, data):
    s.settimeout(5); b = b""
    try:
        s.sendall(data)
        while d := s.recv(4096): b += d
    except (ConnectionError, ssl.SSLError): pass
    return b
def header(size):
    """A header of version 2 of this many bytes, for TCP over IPv4, filled up by a TLV of type NOOP."""
    tlvs = b"\x04" + struct.pack(">H", size - 31) + bytes(size - 31)
    return (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12 + len(tlvs)) + socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
            + b"\0\1\0\2" + tlvs)
def accepted(p, size): return b"client [192.0.2.1]" in answer(socket.create_connection(("127.0.0.1", p), 5), header(size) + REQUEST)
try:
    for name, p in port.items():
        for _ in range(200):
            try: socket.create_connection(("127.0.0.1", p), 5).close(); break
            except OSError: time.sleep(0.1)
        low, high = 31, 65000
        assert accepted(p, low), name
        if accepted(p, high): low = high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if accepted(p, middle) else (low, middle)
        print(f"{name}: {low} bytes", flush=True)
    c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
    for size in 30, 60, 100, 200:
        name = ("b" * 49 + ".") * (size // 50) + "b" * (size % 50) if size % 50 else ("b" * 49 + ".") * (size // 50 - 1) + "b" * 50
        assert len(name) == size, name
        s = c.wrap_socket(socket.create_connection(("127.0.0.1", front), 5), server_hostname=name)
        print(f"haproxy to Apache, host name of {size} characters: {'served' if b'client [127.0.0.1]' in answer(s, REQUEST) else 'not served'}", flush=True)
finally:
    for p in running: p.terminate()
    for p in running: p.wait()
PY
timeout 300 python3 test.py > out || { cat out; tail -n 3 ./*.log; exit 1; }
cat out
grep -qx "Apache: 232 bytes" out; grep -qx "Varnish: 404 bytes" out; grep -qx "nginx: 1024 bytes" out; grep -qx "haproxy: 16384 bytes" out
for n in Twisted gunicorn; do grep -qx "$n: 65000 bytes" out; done
for n in 30 60; do grep -qx "haproxy to Apache, host name of $n characters: served" out; done
for n in 100 200; do grep -qx "haproxy to Apache, host name of $n characters: not served" out; done
echo "As described above."
