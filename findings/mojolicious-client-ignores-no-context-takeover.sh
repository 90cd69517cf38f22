#!/bin/bash
# Mojolicious 9.31 as a client compresses with context takeover, although the server's answer forbids it.
#
# Guessed: a client that offers "permessage-deflate" and gets "client_no_context_takeover" in the answer resets its compressor for
#   each message, or fails the connection if it cannot.
# Seen: Mojo::UserAgent looks for the extension's name in the answer, and for nothing else. Its first message arrives; the second
#   refers back to the first, and a server that keeps no context ends the connection: `ws` 8.23.0 says "invalid distance
#   too far back".
# Why it matters: servers add this parameter to save 32 KiB a connection; Go's servers always do. Such a client works in a test
#   with one message, and fails in use.
# Standard: RFC 7692 section 7.1.1.2 (a client that gets the parameter in the answer MUST NOT use context takeover).
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
dpkg -s libmojolicious-perl >/dev/null 2>&1 || apt-get -qq install -y --no-install-recommends libmojolicious-perl >/dev/null
npm init -y >/dev/null
npm i --silent --no-audit --no-fund ws@8.23.0 >/dev/null
cat > server.js <<'JS'
const perMessageDeflate = { clientNoContextTakeover: process.argv[2] === 'forbidden', threshold: 0 };
const s = new (require('ws').WebSocketServer)({ host: '127.0.0.1', port: 0, perMessageDeflate });
s.on('listening', () => console.log(s.address().port));
s.on('connection', c => {
  let n = 0;
  c.on('message', () => console.log('message ' + ++n));
  c.on('error', e => console.log('error ' + e.message));
});
JS
cat > client.pl <<'PERL'
use Mojo::UserAgent;
my $agent = Mojo::UserAgent->new;
my $tx = $agent->build_websocket_tx($ARGV[0]);
$tx->req->headers->sec_websocket_extensions('permessage-deflate');
$agent->start($tx => sub {
    my ($agent, $tx) = @_;
    print 'answer: ', $tx->res->headers->sec_websocket_extensions, "\n";
    $tx->on(finish => sub { Mojo::IOLoop->stop });
    $tx->send('The quick brown fox. ' x 20);
    Mojo::IOLoop->timer(0.5 => sub { $tx->send('The quick brown fox. ' x 20) });
    Mojo::IOLoop->timer(1.5 => sub { $tx->finish(1000) });
});
Mojo::IOLoop->start;
PERL
for how in forbidden allowed; do
  node server.js $how > $how & PIDS="$PIDS $!"
  while ! [ -s $how ]; do sleep 0.1; done
  timeout 20 perl client.pl "ws://127.0.0.1:$(head -1 $how)/"
  sleep 0.3
  sed "1d; s/^/context takeover $how: /" $how
done
grep -qx 'message 1' forbidden && ! grep -q 'message 2' forbidden && grep -q '^error .*too far back' forbidden
grep -qx 'message 2' allowed
echo "As described above."
