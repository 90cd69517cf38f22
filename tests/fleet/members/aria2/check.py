import json
import sys

import fleet

port = int(sys.argv[1])
command = ["aria2c", "--no-conf", "--enable-rpc", f"--rpc-listen-port={port}", "--disable-ipv6", f"--dir={fleet.work()}"]
fleet.await_port(port, fleet.start(command))

with fleet.talk(f"ws://127.0.0.1:{port}/jsonrpc", ping="off") as ws:
    with fleet.check("JSON-RPC: aria2.getVersion"):
        ws.send('{"jsonrpc":"2.0","id":"a","method":"aria2.getVersion"}')
        fleet.same("version" in json.loads(ws.recv())["result"], True)
    fleet.ping_and_close(ws)
