"""Two instances of `ws serve` behind nginx, with Redis between them, as `docs/two-instances` describes them."""

import json
import shutil

from harness.install import INTEROP, nginx, tool
from harness.nginx import free_ports
from harness.processes import REPO, output_of


class Instances:
    """Their commands. Whoever runs them also kills them."""

    def __init__(self, home, python, ws):
        self.home = home / "instances"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        names = ["redis", "one", "two", "nginx"]
        self.ports = dict(zip(names, free_ports(len(names))))
        composed = json.loads(output_of([*python, INTEROP / "instances/compose.py"]))
        # The names of the containers, and their addresses here.
        here = {
            "redis://redis:6379": f"redis://127.0.0.1:{self.ports['redis']}",
            "172.16.0.0/12": "127.0.0.1",
        }

        def instance(name):
            listening = {"0.0.0.0:8765": f"127.0.0.1:{self.ports[name]}"}
            return [str(ws), *((here | listening).get(word, word) for word in composed[name])]

        redis = [*composed["redis"][1:], "--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(self.home)]
        self.commands = {
            "redis": [tool("redis-server"), *redis],
            "one": instance("one"),
            "two": instance("two"),
            "nginx": [nginx(), "-p", str(self.home), "-c", str(self.configure()), "-e", str(self.home / "error.log")],
        }

    def configure(self):
        config = (REPO / "docs/two-instances/nginx.conf").read_text()
        addresses = {
            "one:8765": f"127.0.0.1:{self.ports['one']}",
            "two:8765": f"127.0.0.1:{self.ports['two']}",
            "listen 8080": f"listen 127.0.0.1:{self.ports['nginx']}",
            # What an unprivileged nginx in the foreground needs.
            "worker_processes auto;": f"worker_processes 2;\ndaemon off;\npid {self.home}/nginx.pid;",
            "http {": "http {\n    access_log off;\n"
            + "".join(f"    {kind}_temp_path {self.home}/{kind};\n" for kind in TEMPORARY),
        }
        for name, address in addresses.items():
            assert name in config, f"nginx.conf has no {name}"
            config = config.replace(name, address)
        path = self.home / "nginx.conf"
        path.write_text(config)
        return path


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
