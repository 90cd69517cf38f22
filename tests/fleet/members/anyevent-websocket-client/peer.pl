use strict;
use warnings;
use AnyEvent;
use AnyEvent::WebSocket::Client;
use Encode;

$| = 1;
my $done = AnyEvent->condvar;
my $client = AnyEvent::WebSocket::Client->new(max_payload_size => 1 << 21, ssl_ca_file => $ENV{FLEET_CA});
our $connection;
$client->connect($ARGV[0])->cb(sub {
    $connection = eval { shift->recv };
    if ($@) {
        print "refused $@\n";
        return $done->send;
    }
    $connection->on(each_message => sub {
        my ($connection, $message) = @_;
        return $connection->send($message) unless $message->is_text;
        my $text = $message->decoded_body;
        if ($text =~ /^close (\d+) (.*)/s) { $1 == 1005 ? $connection->close : $connection->close($1, $2) }
        else                               { $connection->send($text) }
    });
    $connection->on(finish => sub {
        my $connection = shift;
        printf "closed %s %s\n", $connection->close_code // 1005, encode('UTF-8', $connection->close_reason // '');
        $done->send;
    });
});
$done->recv;
