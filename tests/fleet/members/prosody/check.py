import sys

import fleet

port = int(sys.argv[1])
work = fleet.work()
(work / "data").mkdir()
config = work / "prosody.cfg.lua"
config.write_text(f"""
run_as_root = true
daemonize = false
data_path = "{work}/data"
pidfile = "{work}/prosody.pid"
modules_enabled = {{ "websocket", "saslauth" }}
c2s_ports = {{ }}
s2s_ports = {{ }}
modules_disabled = {{ "s2s" }}
http_ports = {{ {port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{ }}
http_default_host = "localhost"
consider_websocket_secure = true
authentication = "anonymous"
VirtualHost "localhost"
""")
fleet.await_port(port, fleet.start(["/usr/bin/prosody", "--config", config, "-F"]))

with fleet.talk(f"ws://127.0.0.1:{port}/xmpp-websocket", subprotocols="xmpp") as ws:
    with fleet.check("XMPP: <open/> and the stream features"):
        fleet.same(ws.subprotocol, "xmpp")
        ws.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>")
        ws.until(lambda text: text.startswith("<open "))
        ws.until(lambda text: "features" in text)
    fleet.ping_and_close(ws)
