#!/bin/bash
# npm's http-proxy turns a chunked refusal of a WebSocket handshake into an answer that is not HTTP.
#
# Guessed: http-proxy (behind webpack-dev-server, Create React App and many gateways) passes a refusal on as it is.
# Seen (http-proxy 1.18.1): the backend refuses the upgrade with 403 and a body in chunks. The proxy passes the header
#   "transfer-encoding: chunked" on, but the body without its chunks. Clients fail while they read the body:
#   ws 8.23.0 "Parse Error: Invalid character in chunk size", websockets 17.4 does not even report the status 403.
#   With Content-Length instead of chunks all is well. http-proxy-3 1.23.3, its successor, keeps the chunks.
# Why it matters: the user sees "invalid HTTP" where the server had said why it refused; retries and log-in pages depend
#   on that status. A server that refuses a handshake should send its text with Content-Length, not in chunks.
# Standard: RFC 9112 section 7.1 (a chunked body has chunk sizes), RFC 6455 section 4.1 (other statuses are plain HTTP).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
python3 -m venv v
v/bin/pip -q install --no-compile websockets==17.4
npm init -y >/dev/null
npm i --silent --no-audit --no-fund http-proxy@1.18.1 http-proxy-3@1.23.3 ws@8.23.0 >/dev/null
cat > servers.js <<'JS'
const http = require('http');
const listen = (s) => new Promise((f) => s.listen(0, '127.0.0.1', () => f(s.address().port)));
(async () => {
  const backend = await listen(http.createServer((q, r) => {
    if (q.url === '/length') r.setHeader('Content-Length', 23);
    r.statusCode = 403;
    r.write('refused: ');
    r.end('session ended\n');
  }));
  const ports = [backend];
  for (const name of ['http-proxy', 'http-proxy-3']) {
    const proxy = require(name).createProxyServer({ target: 'http://127.0.0.1:' + backend, ws: true });
    const front = http.createServer((q, r) => proxy.web(q, r));
    front.on('upgrade', (q, s, head) => proxy.ws(q, s, head));
    ports.push(await listen(front));
  }
  console.log(ports.join(' '));
})();
JS
cat > client.js <<'JS'
const WebSocket = require('ws');
const w = new WebSocket(process.argv[2]);
w.on('unexpected-response', (q, r) => {
  let body = '';
  r.on('data', (d) => { body += d; });
  r.on('end', () => console.log(`ws: ${r.statusCode} "${body.trim()}"`));
  r.on('error', (e) => console.log(`ws: ${r.statusCode}, then ${e.message}`));
});
w.on('error', (e) => console.log(`ws: ${e.message}`));
JS
cat > client.py <<'PY'
import asyncio, sys
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
async def main():
    try: await connect(sys.argv[1])
    except InvalidStatus as e: print(f'websockets: {e.response.status_code} "{e.response.body.decode().strip()}"')
    except Exception as e: print(f"websockets: {type(e).__name__}: {e} ({e.__cause__})")
asyncio.run(main())
PY
node servers.js > ports & PIDS=$!
for _ in $(seq 100); do [ -s ports ] && break; sleep 0.1; done
for m in http-proxy http-proxy-3 ws; do
  node -p "'$m ' + JSON.parse(require('fs').readFileSync('node_modules/$m/package.json')).version"
done
v/bin/pip list 2>/dev/null | grep '^websockets '
set -- $(cat ports)
for body in length chunked; do
  i=0
  for port in "$@"; do
    i=$((i + 1)); via=$(echo "direct http-proxy http-proxy-3" | cut -d' ' -f$i)
    timeout 10 node client.js "ws://127.0.0.1:$port/$body" | sed "s/^/$body, $via, /" >> out
    timeout 20 v/bin/python client.py "ws://127.0.0.1:$port/$body" | sed "s/^/$body, $via, /" >> out
  done
done
cat out
for via in direct http-proxy http-proxy-3; do
  grep -qx "length, $via, ws: 403 \"refused: session ended\"" out
  grep -qx "length, $via, websockets: 403 \"refused: session ended\"" out
done
for via in direct http-proxy-3; do
  grep -qx "chunked, $via, ws: 403 \"refused: session ended\"" out
  grep -qx "chunked, $via, websockets: 403 \"refused: session ended\"" out
done
grep -q "^chunked, http-proxy, ws: .*Parse Error" out
grep -q "^chunked, http-proxy, websockets: InvalidMessage" out
echo "As described above."
