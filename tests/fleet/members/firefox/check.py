import json
import os
import sys

import fleet

port = int(sys.argv[1])
work = fleet.work()
command = ["firefox-esr", "--headless", "--no-remote", "--profile", work, "--remote-debugging-port", port, "about:blank"]
fleet.await_port(port, fleet.start(command, env=os.environ | {"HOME": str(work)}))

with fleet.talk(f"ws://127.0.0.1:{port}/session") as ws:
    with fleet.check("WebDriver BiDi: session.status"):
        ws.send('{"id":1,"method":"session.status","params":{}}')
        answer = json.loads(ws.recv())
        fleet.same("ready" in answer["result"], True)
    fleet.ping_and_close(ws)
