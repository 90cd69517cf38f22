import sys

import fleet

port = int(sys.argv[1])
display = fleet.free_port()
command = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-S"]
fleet.await_port(port, fleet.start([*command, "-vnc", f"127.0.0.1:{display - 5900},websocket={port}"]))

with fleet.talk(f"ws://127.0.0.1:{port}/", subprotocols="binary") as ws:
    with fleet.check("VNC: version and security types"):
        fleet.same(ws.subprotocol, "binary")
        fleet.same(ws.recv(), b"RFB 003.008\n")
        ws.send(b"RFB 003.008\n")
        # One type: none.
        fleet.same(ws.recv(), b"\x01\x01")
    fleet.ping_and_close(ws)
