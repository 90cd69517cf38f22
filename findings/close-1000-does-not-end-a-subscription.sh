#!/bin/bash
# Close 1000 makes graphql-ws, Phoenix, SignalR and Centrifuge clients come back at once; 1011 is what ends graphql-ws.
#
# Guessed: 1000 "normal closure" means that the server is done: the client does not reconnect. After 1011 "internal error"
#   and 1001 "going away" it does, with a delay.
# Seen (graphql-ws 6.4.2, phoenix 1.8.16, @microsoft/signalr 10.0.11 withAutomaticReconnect, centrifuge 5.8.0), a server
#   that closes 0.2 s after each connection is ready, connections counted over 4 s:
#   - all four reconnect after 1000. graphql-ws (after 1000 only), Phoenix and SignalR do so without a pause and without
#     end: several connections a second for each client, as fast as the server closes them.
#   - graphql-ws takes 1011 for fatal: the subscription ends in an error, no retry.
#   - Phoenix and SignalR reconnect after each code, 4001 too: no close code of the server's stops them.
#   - Centrifuge is stopped by 3501 (its range 3500-3999 is documented as final) only if the Close frame has a reason;
#     3501 without a reason and it comes back.
# Why it matters: a server that ends subscriptions with 1000 ("done", "log in again", "too many") gets the same client
#   back within milliseconds. Say goodbye in the subprotocol (`complete`, `phx_close`, a close message with
#   allowReconnect false) and know each client's own fatal codes before choosing one.
# Standard: RFC 6455 section 7.4.1 (1000: the purpose is fulfilled), section 7.2.3 (back-off after abnormal closure only).
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 graphql@16.15.0 graphql-ws@6.4.2 phoenix@1.8.16 @microsoft/signalr@10.0.11 centrifuge@5.8.0 >/dev/null
for m in ws graphql-ws phoenix @microsoft/signalr centrifuge; do
  node -p "'$m ' + JSON.parse(require('fs').readFileSync('node_modules/$m/package.json')).version"
done
cat > test.js <<'JS'
const { WebSocketServer, WebSocket } = require('ws');
globalThis.WebSocket = WebSocket;
const [client, code, reason] = [process.argv[2], +process.argv[3], process.argv[4] || ''];
let connections = 0, fatal = '';
const s = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: (p) => [...p][0] });
s.on('connection', (w) => {
  connections++;
  const bye = () => setTimeout(() => w.close(code, reason), 200);
  w.on('message', (m) => {
    m = String(m);
    if (client === 'graphql-ws' && m.includes('connection_init')) { w.send('{"type":"connection_ack"}'); bye(); }
    if (client === 'signalr' && m.includes('"protocol"')) { w.send('{}\x1e'); bye(); }
    if (client === 'centrifuge' && m.includes('"connect"')) {
      w.send(JSON.stringify({ id: JSON.parse(m).id, connect: { client: 'x', version: '1' } })); bye();
    }
  });
  if (client === 'phoenix') bye();
});
s.on('listening', async () => {
  const at = `127.0.0.1:${s.address().port}/`;
  if (client === 'graphql-ws') {
    require('graphql-ws').createClient({ url: 'ws://' + at, webSocketImpl: WebSocket })
      .subscribe({ query: 'subscription { a }' }, { next() {}, complete() {}, error() { fatal = ', the subscription failed'; } });
  } else if (client === 'phoenix') {
    const { Socket } = require('phoenix');
    new Socket('ws://' + at, { transport: WebSocket }).connect();
  } else if (client === 'centrifuge') {
    const { Centrifuge } = require('centrifuge');
    new Centrifuge('ws://' + at, { websocket: WebSocket }).on('disconnected', () => { fatal = ', disconnected for good'; }).connect();
  } else {
    const sr = require('@microsoft/signalr');
    await new sr.HubConnectionBuilder().withUrl('http://' + at, { skipNegotiation: true, transport: 1 })
      .withAutomaticReconnect().configureLogging(sr.LogLevel.None).build().start();
  }
});
setTimeout(() => {
  console.log(`${client}, close ${code}${reason && ' ' + reason}: ${connections === 1 ? 'not back within 4 s' : connections > 3 ? 'comes back at once, again and again' : 'comes back'}${fatal}`);
  process.exit();
}, 4000);
JS
for client in graphql-ws phoenix signalr centrifuge; do
  for code in 1000 1001 1011 4001; do timeout 30 node test.js $client $code > $client.$code & done
  wait
  cat $client.* >> out
done
timeout 30 node test.js centrifuge 3501 >> out & timeout 30 node test.js centrifuge 3501 stop >> out & wait
cat out
for code in 1000 1001 1011 4001; do
  for client in phoenix signalr; do grep -qx "$client, close $code: comes back at once, again and again" out; done
  grep -q "^centrifuge, close $code: comes back" out
done
grep -qx "graphql-ws, close 1000: comes back at once, again and again" out
grep -qx "graphql-ws, close 1011: not back within 4 s, the subscription failed" out
grep -q "^centrifuge, close 3501: comes back" out
grep -qx "centrifuge, close 3501 stop: not back within 4 s, disconnected for good" out
echo "As described above."
