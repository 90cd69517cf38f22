import json
import sys
import urllib.request

import fleet

port = int(sys.argv[1])
flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
flags += [f"--remote-debugging-port={port}", f"--user-data-dir={fleet.work()}", "about:blank"]
fleet.await_port(port, fleet.start(["chromium", *flags]))
browser = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version"))
page = next(target for target in json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list")) if target["type"] == "page")

with fleet.talk(page["webSocketDebuggerUrl"], limit=4 << 20) as ws:
    with fleet.check("DevTools: 2 MB as a result"):
        ws.send('{"id":1,"method":"Runtime.evaluate","params":{"expression":"\'x\'.repeat(2e6)"}}')
        answer = json.loads(ws.until(lambda text: '"id":1' in text))
        fleet.same(len(answer["result"]["result"]["value"]), 2_000_000)
with fleet.talk(browser["webSocketDebuggerUrl"]) as ws:
    with fleet.check("DevTools: Browser.getVersion"):
        ws.send('{"id":1,"method":"Browser.getVersion"}')
        answer = json.loads(ws.until(lambda text: '"id":1' in text))
        fleet.same("product" in answer["result"], True)
    fleet.ping_and_close(ws)
