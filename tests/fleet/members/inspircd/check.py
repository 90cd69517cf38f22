import sys

import fleet

port = int(sys.argv[1])
work = fleet.work()
config = work / "inspircd.conf"
config.write_text(f"""
<server name="irc.fleet.invalid" description="fleet" network="fleet" id="97K">
<admin name="a" nick="a" email="a@fleet.invalid">
<path configdir="{work}" datadir="{work}" logdir="{work}" runtimedir="{work}">
<pid file="{work}/pid">
<module name="sha1">
<module name="websocket">
<websocket sendastext="yes">
<wsorigin allow="*">
<bind address="127.0.0.1" port="{port}" type="clients" hook="websocket">
<connect allow="*" resolvehostnames="no" useident="no" timeout="30" pingfreq="120">
<dns server="127.0.0.1" timeout="1">
""")
command = ["/usr/sbin/inspircd", "--nofork", "--nolog", "--runasroot", "--config", config]
fleet.await_port(port, fleet.start(command))

with fleet.talk(f"ws://127.0.0.1:{port}/", origin="http://fleet.invalid", ping="off") as ws:
    with fleet.check("IRC: NICK, USER, and the welcome"):
        ws.send("NICK ferris")
        ws.send("USER ferris 0 * :Ferris")
        ws.until(lambda line: " 001 ferris " in line)
    fleet.ping_and_close(ws)
