import sys

import fleet

port = int(sys.argv[1])
work = fleet.work()
config = work / "kamailio.cfg"
config.write_text(f"""
listen=tcp:127.0.0.1:{port}
children=1
tcp_children=1
tcp_accept_no_cl=yes
log_stderror=yes
debug=1
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
request_route {{
    sl_send_reply("200", "OK");
}}
event_route[xhttp:request] {{
    if ($hdr(Upgrade) =~ "websocket" && $rm =~ "GET") {{
        ws_handle_handshake();
        exit;
    }}
    xhttp_reply("404", "Not Found", "", "");
}}
""")
fleet.await_port(port, fleet.start(["/usr/sbin/kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-Y", work, "-f", config]))

OPTIONS = """OPTIONS sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/WS fleet.invalid;branch=z9hG4bK1
From: <sip:a@fleet.invalid>;tag=1
To: <sip:b@127.0.0.1>
Call-ID: fleet
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

"""
with fleet.talk(f"ws://127.0.0.1:{port}/", subprotocols="sip") as ws:
    with fleet.check("SIP: OPTIONS and its 200"):
        fleet.same(ws.subprotocol, "sip")
        ws.send(OPTIONS.replace("\n", "\r\n"))
        answer = ws.recv()
        answer = answer if isinstance(answer, str) else answer.decode()
        fleet.same(answer.splitlines()[0], "SIP/2.0 200 OK")
    fleet.ping_and_close(ws)
