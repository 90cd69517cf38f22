"""Proxies that pass bytes on: stunnel, with TLS, in front of a server, and privoxy, which clients ask for a tunnel."""

import shutil
import subprocess
import time

from harness.install import tool
from harness.nginx import free_ports, is_open
from harness.processes import PROCESSES, Fatal

STUNNEL = """\
foreground = yes
pid =
syslog = no
[server]
accept = 127.0.0.1:{port}
connect = {target}
cert = {certificates}/server.pem
key = {certificates}/server.key
"""

# Nothing is filtered: there are no files of actions.
PRIVOXY = """\
confdir {home}
logdir {home}
listen-address 127.0.0.1:{port}
"""


class Tunnels:
    """Both, running; `urls` says where."""

    def __init__(self, home, certificates, target):
        self.home = home / "tunnels"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.processes = []
        stunnel, privoxy = free_ports(2)
        settings = {"home": self.home, "certificates": certificates, "target": target.removeprefix("ws://")}
        self.start("stunnel4", [], STUNNEL.format(port=stunnel, **settings), stunnel)
        self.start("privoxy", ["--no-daemon"], PRIVOXY.format(port=privoxy, **settings), privoxy)
        self.urls = {"stunnel": f"wss://127.0.0.1:{stunnel}", "privoxy": f"http://127.0.0.1:{privoxy}"}

    def start(self, name, options, config, port):
        path = self.home / f"{name}.conf"
        path.write_text(config)
        with open(self.home / f"{name}.log", "w") as log:
            process = PROCESSES.start([tool(name), *options, path], stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        deadline = time.monotonic() + 15
        while not is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Fatal(f"{name} did not start, see {log.name}")
            time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            PROCESSES.stop(process)
