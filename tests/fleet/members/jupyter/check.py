import json
import os
import sys
import urllib.request

import fleet

port = int(sys.argv[1])
work = fleet.work()
folders = {"HOME": work, "JUPYTER_RUNTIME_DIR": work, "JUPYTER_DATA_DIR": work, "JUPYTER_CONFIG_DIR": work, "IPYTHONDIR": work}
options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=fleet", f"--ServerApp.root_dir={work}"]
environment = os.environ | {name: str(folder) for name, folder in folders.items()}
fleet.await_port(port, fleet.start([sys.executable, "-m", "jupyter_server", *options], env=environment))

url = f"http://127.0.0.1:{port}/api/kernels?token=fleet"
kernel = json.load(urllib.request.urlopen(urllib.request.Request(url, data=b"{}", method="POST")))["id"]
request = {
    "header": {"msg_id": "1", "username": "", "session": "1", "msg_type": "kernel_info_request", "version": "5.3"},
    "parent_header": {},
    "metadata": {},
    "content": {},
    "channel": "shell",
    "buffers": [],
}
with fleet.talk(f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?token=fleet") as ws:
    with fleet.check("kernel_info_request and its reply"):
        ws.send(json.dumps(request))
        ws.until(lambda text: '"kernel_info_reply"' in text, 30)
    fleet.ping_and_close(ws)
