"""nginx, with TLS, in front of a server."""

import pathlib
import shutil
import socket
import subprocess
import time

from harness.install import INTEROP, nginx
from harness.processes import PROCESSES, Fatal


class Nginx:
    """One that runs; `urls` are where the server's listeners are behind it."""

    def __init__(self, home, certificates, listeners):
        self.home = home / "nginx"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        ports = dict(zip(listeners, free_ports(len(listeners))))
        targets = {name: url.removeprefix("ws://") for name, url in listeners.items()}
        settings = {
            "home": self.home,
            "certificate": certificates / "server.pem",
            "key": certificates / "server.key",
            "listeners": "\n        ".join(f"{ports[name]} {targets[name]};" for name in listeners),
            "ports": "\n        ".join(f"listen 127.0.0.1:{port} ssl;" for port in ports.values()),
        }
        config = (INTEROP / "nginx/nginx.conf").read_text()
        for name, value in settings.items():
            config = config.replace(f"@{name}@", str(value))
        (self.home / "nginx.conf").write_text(config)
        self.urls = {name: f"wss://127.0.0.1:{port}" for name, port in ports.items()}
        self.start(ports.values())

    def start(self, ports):
        self.log = self.home / "error.log"
        with open(self.home / "output.log", "w") as output:
            command = [nginx(), "-p", self.home, "-c", self.home / "nginx.conf", "-e", self.log]
            self.process = PROCESSES.start(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 15
        for port in ports:
            while not is_open(port):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Fatal(f"nginx did not start:\n{pathlib.Path(output.name).read_text()}")
                time.sleep(0.02)

    def stop(self):
        PROCESSES.stop(self.process)


def free_ports(count):
    """Ports that nobody has now; nginx cannot choose one itself."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
