use Mojo::Base -strict, -signatures;
use Mojo::IOLoop;
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojolicious;

my ($role, $where) = @ARGV;
$| = 1;
my %open;

sub echo ($tx) {
    $tx->max_websocket_size(1 << 21);
    $tx->on(text => sub ($tx, $bytes) {
        my $text = Mojo::Util::decode('UTF-8', $bytes);
        if ($text =~ /^close (\d+) (.*)/s) { $1 == 1005 ? $tx->finish : $tx->finish($1, $2) }
        else                               { $tx->send($text) }
    });
    $tx->on(binary => sub ($tx, $bytes) { $tx->send({binary => $bytes}) });
}

if ($role eq 'client') {
    my $agent = Mojo::UserAgent->new(ca => $ENV{FLEET_CA}, inactivity_timeout => 0);
    my $tx = $agent->build_websocket_tx($where);
    $tx->req->headers->sec_websocket_extensions('permessage-deflate') if $ENV{FLEET_COMPRESSION};
    $agent->start($tx => sub ($agent, $tx) {
        if (!$tx->is_websocket) {
            say 'refused ', $tx->res->code // '';
            return Mojo::IOLoop->stop;
        }
        echo($tx);
        $tx->on(finish => sub ($tx, $code, $reason) {
            say 'closed ', $code // 1006, ' ', Mojo::Util::encode('UTF-8', $reason // '');
            # Its Close is still to be written.
            Mojo::IOLoop->timer(0.3 => sub { Mojo::IOLoop->stop });
        });
    });
    Mojo::IOLoop->start;
}
else {
    my $app = Mojolicious->new;
    $app->log->level('warn');
    $app->routes->any('/refuse' => sub ($c) { $c->render(text => "not today\n", status => 403) });
    $app->routes->websocket('/' => sub ($c) {
        my $tx = $c->tx;
        $tx->with_compression if $ENV{FLEET_COMPRESSION};
        echo($tx);
        $open{$tx} = $tx;
        $c->inactivity_timeout(300);
        $c->on(finish => sub { delete $open{$tx} });
    });
    my $url = $ENV{FLEET_TLS} ? "https://127.0.0.1:$where?cert=$ENV{FLEET_CERT}&key=$ENV{FLEET_KEY}" : "http://127.0.0.1:$where";
    my $daemon = Mojo::Server::Daemon->new(app => $app, listen => [$url], silent => 1);
    $daemon->start;
    local $SIG{TERM} = sub {
        $_->finish(1001) for values %open;
        Mojo::IOLoop->timer(0.5 => sub { Mojo::IOLoop->stop });
    };
    Mojo::IOLoop->recurring(0.1 => sub { });
    Mojo::IOLoop->start;
}
