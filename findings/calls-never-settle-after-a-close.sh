#!/bin/bash
# Five JavaScript clients leave a call without result or error when the server closes before it has answered.
#
# Guessed: a client that matches answers to requests fails the open ones when the connection ends, as its promises could not be
#   settled by anything else.
# Seen: the server reads a call, and closes with 1001, or ends TCP without a Close.
#   1. ethers 6.17.0 (WebSocketProvider), rpc-websockets 10.0.1, autobahn 22.11.1, roslib 2.1.0 and jayson 5.0.0: neither result nor
#      error within 75 s. rpc-websockets and autobahn connect again meanwhile, and the call stays open. The others do not
#      connect again.
#   2. wampy 8.0.2, centrifuge 5.8.0, home-assistant-js-websocket 9.7.0 and socket.io-client 4.8.4 fail the call at once.
# Why it matters: a restart of the server, which clients see as 1001, leaves code behind that waits without end, in two of
#   them on a connection that looks healthy again. A server should answer each open request before it
#   closes; in these clients give every call a timeout.
# Standard: none for the calls: JSON-RPC 2.0 section 5 (the server must reply), and RFC 6455 section 7.4.1 (1001: an endpoint is
#   going away, such as a server going down), leave the case to the client.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 ethers@6.17.0 rpc-websockets@10.0.1 jayson@5.0.0 autobahn@22.11.1 roslib@2.1.0 wampy@8.0.2 \
  centrifuge@5.8.0 home-assistant-js-websocket@9.7.0 socket.io-client@4.8.4 >/dev/null
cat > server.js <<'JS'
// Opens a session of the subprotocol, and ends the connection at the first call of the first connection: /1001 or /cut.
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0, handleProtocols: offered => [...offered][0] });
exports.start = (kind, how, ready) => {
  let connections = 0;
  s.on('connection', c => {
    const first = !connections++, json = o => c.send(JSON.stringify(o));
    const end = () => { if (first) how === 'cut' ? c.terminate() : c.close(+how); };
    if (kind === 'home-assistant') json({ type: 'auth_required', ha_version: '2026.1.0' });
    if (kind === 'socket.io') c.send('0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}');
    c.on('message', m => {
      const text = String(m), o = kind === 'socket.io' ? null : JSON.parse(text);
      if (kind === 'home-assistant' && o.type === 'auth') json({ type: 'auth_ok', ha_version: '2026.1.0' });
      else if (kind === 'home-assistant' && o.type === 'supported_features') json({ id: o.id, type: 'result', success: true, result: null });
      else if (kind === 'wamp' && o[0] === 1) json([2, 1, { roles: { dealer: {}, broker: {} } }]);
      else if (kind === 'centrifuge' && o.connect) json({ id: o.id, connect: { client: 'x', version: '1', ping: 25, pong: true } });
      else if (kind === 'socket.io' && text === '40') c.send('40{"sid":"a"}');
      else if (kind !== 'socket.io' || text.startsWith('42')) end();
    });
  });
  s.on('listening', () => ready(`ws://127.0.0.1:${s.address().port}`, () => connections));
};
JS
cat > call.mjs <<'JS'
import { createRequire } from 'module';
const require = createRequire(process.cwd() + '/'), [, , name, kind, how] = process.argv, WS = require('ws');
globalThis.WebSocket = WS;
console.log = console.error = console.warn = () => {};   // some of them log the end
let connections;
const say = text => process.stdout.write(`${name}, ${how}: ${text}${connections() > 1 ? ', connected again' : ''}\n`, () => process.exit());
const failed = () => say('an error');
const watch = call => call.then(() => say('an answer'), failed);
setTimeout(() => say('nothing'), 75000);
process.on('unhandledRejection', () => {}); process.on('uncaughtException', () => {});
const clients = {
  ethers: url => {
    const { WebSocketProvider } = require('ethers');
    watch(new WebSocketProvider(url, 1, { staticNetwork: true }).send('eth_blockNumber', []));
  },
  'rpc-websockets': url => {
    const { Client } = require('rpc-websockets'), c = new Client(url);
    c.once('open', () => watch(c.call('x', []))); c.on('error', () => {});
  },
  jayson: url => {
    const ws = new WS(url), c = require('jayson').client.websocket({ ws });
    ws.on('open', () => c.request('x', [], e => e ? failed() : say('an answer')));
  },
  autobahn: url => {
    const c = new (require('autobahn').Connection)({ url, realm: 'r' }); let once = 0;
    c.onopen = s => { if (!once++) watch(s.call('x', [])); }; c.open();
  },
  roslib: async url => {
    const { Ros, Service } = await import('roslib'), ros = new Ros({ url }); let once = 0;
    ros.on('error', () => {});
    ros.on('connection', () => { if (!once++) new Service({ ros, name: '/a', serviceType: 'b' }).callService({}, () => say('an answer'), failed); });
  },
  wampy: async url => {
    const w = new (await import('wampy')).Wampy(url, { realm: 'r', ws: WS });
    await w.connect(); watch(w.call('x', [1]));
  },
  centrifuge: url => {
    const c = new (require('centrifuge').Centrifuge)(url, { websocket: WS }); let once = 0;
    c.on('connected', () => { if (!once++) watch(c.rpc('x', {})); }); c.connect();
  },
  'home-assistant-js-websocket': async url => {
    const { createConnection } = await import('home-assistant-js-websocket');
    watch((await createConnection({ auth: { wsUrl: url, accessToken: 'x', expired: false }, setupRetry: 0 })).sendMessagePromise({ type: 'get_states' }));
  },
  'socket.io-client': url => {
    const s = require('socket.io-client').io(url.replace('ws:', 'http:'), { transports: ['websocket'] }); let once = 0;
    s.on('connect', () => { if (!once++) watch(s.emitWithAck('x', 1)); });
  },
};
require('./server.js').start(kind, how, (url, count) => { connections = count; clients[name](url); });
JS
for p in ethers rpc-websockets jayson autobahn roslib wampy centrifuge home-assistant-js-websocket socket.io-client; do
  node -p "'$p ' + JSON.parse(require('fs').readFileSync('node_modules/$p/package.json')).version"
done
for c in ethers:rpc rpc-websockets:rpc jayson:rpc autobahn:wamp roslib:rpc wampy:wamp centrifuge:centrifuge \
  home-assistant-js-websocket:home-assistant socket.io-client:socket.io; do
  for how in 1001 cut; do timeout 120 node call.mjs ${c%:*} ${c#*:} $how >> out & done
done
wait
sort -o out out; cat out
for how in 1001 cut; do
  for n in ethers roslib jayson; do grep -qx "$n, $how: nothing" out; done
  for n in rpc-websockets autobahn; do grep -qx "$n, $how: nothing, connected again" out; done
  for n in wampy centrifuge home-assistant-js-websocket socket.io-client; do grep -qE "^$n, $how: an error(, connected again)?$" out; done
done
echo "As described above."
