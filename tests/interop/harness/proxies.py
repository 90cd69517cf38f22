"""Forward proxies for our client: squid, tinyproxy, privoxy, stunnel in front of squid, and microsocks."""

import os
import shutil
import subprocess
import time

from harness.install import tool
from harness.nginx import free_ports, is_open
from harness.processes import PROCESSES, Fatal

# Port 1, on which nothing listens, is one that it does not connect to.
SQUID = """\
http_port 127.0.0.1:{squid}
pid_filename none
cache deny all
access_log none
cache_log {home}/squid.cache.log
coredump_dir {home}
acl closed port 1
http_access deny closed
http_access allow all
shutdown_lifetime 0 seconds
pinger_enable off
"""

TINYPROXY = """\
Port {tinyproxy}
Listen 127.0.0.1
Timeout 60
BasicAuth me hunter2
"""

PRIVOXY = """\
confdir {home}
templdir /etc/privoxy/templates
logdir {home}
listen-address 127.0.0.1:{privoxy}
"""

STUNNEL = """\
foreground = yes
pid =
syslog = no
[proxy]
accept = 127.0.0.1:{stunnel}
connect = 127.0.0.1:{squid}
cert = {certificates}/server.pem
key = {certificates}/server.key
"""

NAMES = ["squid", "tinyproxy", "privoxy", "stunnel", "microsocks"]


class Proxies:
    """All of them, running; `ports` says where."""

    def __init__(self, home, certificates):
        self.home = home / "proxies"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        # squid gives up its rights where it is started as root.
        self.home.chmod(0o777)
        self.processes = []
        self.ports = dict(zip(NAMES, free_ports(len(NAMES))))
        values = self.ports | {"home": self.home, "certificates": certificates}
        self.start("squid", ["-N", "-f"], SQUID.format(**values))
        self.start("tinyproxy", ["-d", "-c"], TINYPROXY.format(**values))
        self.start("privoxy", ["--no-daemon"], PRIVOXY.format(**values))
        self.start("stunnel", [], STUNNEL.format(**values), program="stunnel4")
        port = str(self.ports["microsocks"])
        self.start("microsocks", ["-i", "127.0.0.1", "-p", port, "-u", "me", "-P", "hunter2"])

    def start(self, name, options, config=None, program=None):
        command = [tool(program or name), *options]
        if config is not None:
            path = self.home / f"{name}.conf"
            path.write_text(config)
            command.append(path)
        with open(self.home / f"{name}.log", "w") as log:
            process = PROCESSES.start(command, cwd=self.home, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ))
        self.processes.append(process)
        deadline = time.monotonic() + 20
        while not is_open(self.ports[name]):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Fatal(f"{name} did not start, see {log.name}")
            time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            PROCESSES.stop(process)
