"""Programs of TCP, and both ends of the example `tunnel` between them; websockify in place of one end."""

import os
import shutil
import subprocess
import time

from harness.install import tool
from harness.nginx import free_ports, is_open
from harness.processes import PROCESSES, Fatal

LOCAL = "127.0.0.1"


class Bytes:
    """All of them, running; `ports` says where."""

    def __init__(self, home, python, websockify, tunnel):
        self.home = home / "bytes"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.processes = []
        names = ["redis", "serve", "connect", "websockify", "past_websockify", "count", "serve_count", "connect_count"]
        self.ports = ports = dict(zip(names, free_ports(len(names))))

        quiet = ["--bind", LOCAL, "--save", "", "--appendonly", "no", "--dir", self.home]
        self.start("redis", [tool("redis-server"), "--port", ports["redis"], *quiet])
        environment = os.environ | {"PYTHONPATH": str(websockify)}
        served = [f"{LOCAL}:{ports['websockify']}", f"{LOCAL}:{ports['redis']}"]
        self.start("websockify", [*python, "-m", "websockify", *served], env=environment)
        # The check itself serves `count`.
        for server, target in [("serve", "redis"), ("serve_count", "count")]:
            self.start(server, [tunnel, "serve", f"{LOCAL}:{ports[server]}", f"{LOCAL}:{ports[target]}"])
        clients = [("connect", "serve"), ("past_websockify", "websockify"), ("connect_count", "serve_count")]
        for client, server in clients:
            self.start(client, [tunnel, "connect", f"{LOCAL}:{ports[client]}", f"ws://{LOCAL}:{ports[server]}/"])

    def start(self, name, command, **options):
        with open(self.home / f"{name}.log", "w") as log:
            process = PROCESSES.start(command, stdout=log, stderr=subprocess.STDOUT, **options)
        self.processes.append(process)
        deadline = time.monotonic() + 15
        while not is_open(self.ports[name]):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Fatal(f"{name} did not start, see {log.name}")
            time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            PROCESSES.stop(process)
