import json
import sys
import urllib.request

import fleet

port = int(sys.argv[1])
fleet.await_port(port, fleet.start(["node", f"--inspect=127.0.0.1:{port}", "-e", "setInterval(() => {}, 1000)"]))
target = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))[0]

with fleet.talk(target["webSocketDebuggerUrl"], ping="off") as ws:
    with fleet.check("Debugger: Runtime.evaluate"):
        ws.send('{"id":1,"method":"Runtime.evaluate","params":{"expression":"6*7"}}')
        answer = json.loads(ws.until(lambda text: '"id":1' in text))
        fleet.same(answer["result"]["result"]["value"], 42)
    with fleet.check("we close 1000"):
        if ws.close(1000, "bye")[0] == 1006:
            raise AssertionError("no Close in answer")
