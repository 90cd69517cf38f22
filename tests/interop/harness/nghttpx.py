"""nghttpx, with HTTP/2 and TLS in front and HTTP/1.1 behind, before a server."""

import subprocess
import time

from harness.install import tool
from harness.nginx import free_ports, is_open
from harness.processes import PROCESSES, Fatal


class Nghttpx:
    """One that runs; `urls` are where the server's listener `main` is behind it."""

    def __init__(self, home, certificates, listeners):
        [port] = free_ports(1)
        backend = listeners["main"].removeprefix("ws://").replace(":", ",")
        command = [
            tool("nghttpx"),
            "--conf=/dev/null",
            f"--frontend=127.0.0.1,{port}",
            f"--backend={backend}",
            "--workers=1",
            "--errorlog-file=/dev/stderr",
            "--single-process",
            certificates / "server.key",
            certificates / "server.pem",
        ]
        with open(home / "logs" / "nghttpx.log", "w") as log:
            self.process = PROCESSES.start(command, stdout=log, stderr=subprocess.STDOUT)
        self.urls = {"main": f"wss://127.0.0.1:{port}"}
        deadline = time.monotonic() + 15
        while not is_open(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Fatal(f"nghttpx did not start, see {log.name}")
            time.sleep(0.02)

    def stop(self):
        PROCESSES.stop(self.process)
