package require websocket
package require tls

set url [lindex $argv 0]
set opened 0
fconfigure stdout -buffering line -encoding utf-8
http::register https 443 [list tls::socket -cafile $env(FLEET_CA) -require 1]

proc handler {ws kind message} {
    global opened
    switch $kind {
        connect { set opened 1 }
        text {
            if {[regexp {^close (\d+) (.*)$} $message -> code reason]} {
                if {$code == 1005} { websocket::close $ws } else { websocket::close $ws $code $reason }
            } else {
                websocket::send $ws text $message
            }
        }
        binary { websocket::send $ws binary $message }
        close { puts "closed [lindex $message 0] [lindex $message 1]"; after 300 exit }
        disconnect - error {
            if {$opened} { puts "failed $message" } else { puts "refused $message" }
            exit
        }
    }
}
if {[catch {websocket::open $url handler} problem]} {
    puts "refused $problem"
    exit
}
vwait forever
