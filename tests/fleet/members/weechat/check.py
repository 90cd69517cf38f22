import sys

import fleet

port = int(sys.argv[1])
commands = ["/set relay.network.ipv6 off", "/set relay.network.bind_address 127.0.0.1", "/set relay.network.password fleet", f"/relay add weechat {port}"]
fleet.await_port(port, fleet.start(["weechat-headless", "--stdout", "-d", fleet.work(), *(word for command in commands for word in ("-r", command))]))

with fleet.talk(f"ws://127.0.0.1:{port}/weechat") as ws:
    with fleet.check("init and info version"):
        ws.send("init password=fleet,compression=off\n(1) info version\n")
        answer = ws.recv()
        fleet.same(b"version" in answer, True)
    fleet.ping_and_close(ws)
