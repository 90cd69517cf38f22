"""Check clients against servers."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from harness.balancers import Balancers
from harness.bytes import Bytes
from harness.install import INTEROP, certutil, chromium, tool
from harness.instances import Instances
from harness.nginx import Nginx
from harness.processes import PROCESSES, REPO, output_of, signal_group
from harness.proxies import Proxies
from harness.tunnels import Tunnels

# No check client takes longer; each of its checks has 30 s.
CLIENT_DEADLINE = 300


class Bench:
    def __init__(self, home, report, certificates=None):
        self.home = home
        self.report = report
        self.certificates = certificates

    def pair(self, title, client, server, expected, secure=False, behind=None):
        """Runs one check client against one server, perhaps over TLS or `behind` nginx; the last check shuts it down."""
        self.report.begin(title, expected)
        serving, listeners = self.serve(title, server, secure)
        if serving is None:
            return
        if "count" in listeners:
            self.report.expect("fragments leave as fragments")
        nginx = behind and behind(self.home, self.certificates, listeners)
        arguments = settings((nginx.urls if nginx else listeners) | {"certificates": self.certificates})
        problem = self.run_client([*client, *arguments], title)
        if problem is None and not self.report.only:
            problem = self.await_exit(serving)
        if nginx:
            nginx.stop()
        PROCESSES.stop(serving)
        self.report.end(problem)

    def proxied(self, title, client, server, expected):
        """Runs the checks of what only shows behind nginx, the last of which stops it."""
        self.report.begin(title, expected)
        serving, listeners = self.serve(title, server)
        if serving is None:
            return
        nginx = Nginx(self.home, self.certificates, listeners)
        more = {"direct": listeners["main"], "nginx": nginx.process.pid}
        problem = self.run_client([*client, *settings(nginx.urls | more)], title)
        nginx.stop()
        PROCESSES.stop(serving)
        self.report.end(problem)

    def tunnelled(self, title, client, server, expected):
        """Runs the checks of what proxies could cut off that only pass bytes on."""
        self.report.begin(title, expected)
        serving, listeners = self.serve(title, server)
        if serving is None:
            return
        direct = listeners["limited"]
        tunnels = Tunnels(self.home, self.certificates, direct)
        problem = self.run_client([*client, *settings(tunnels.urls | {"direct": direct})], title)
        tunnels.stop()
        PROCESSES.stop(serving)
        self.report.end(problem)

    def forward(self, title, checks, client, server, expected):
        """Runs our client behind forward proxies."""
        self.report.begin(title, expected)
        plain, listeners = self.serve(f"{title} plain", server)
        secure, secure_listeners = self.serve(f"{title} secure", server, secure=True)
        if plain is None or secure is None:
            return
        proxies = Proxies(self.home, self.certificates)
        urls = {"plain": f"{listeners['main']}/echo", "secure": f"{secure_listeners['main']}/echo"}
        arguments = settings(proxies.ports | urls | {"client": client, "ca": self.certificates / "ca.pem"})
        problem = self.run_client([*checks, *arguments], title)
        proxies.stop()
        PROCESSES.stop(plain)
        PROCESSES.stop(secure)
        self.report.end(problem)

    def balanced(self, title, checks, server, expected):
        """Runs the checks of our server behind load balancers."""
        self.report.begin(title, expected)
        socket = self.home / "balanced.sock"
        serving, listeners = self.serve(title, [*server, f"balanced={socket}"], secure=True)
        if serving is None:
            return
        balancers = Balancers(self.home, listeners | {"local": str(socket)})
        arguments = settings(balancers.ports | {"announced": listeners["announced"]})
        problem = self.run_client([*checks, *arguments], title)
        balancers.stop()
        PROCESSES.stop(serving)
        self.report.end(problem)

    def bytes(self, title, client, python, websockify, tunnel, expected):
        """Runs programs of TCP through both ends of a tunnel."""
        self.report.begin(title, expected)
        running = Bytes(self.home, python, websockify, tunnel)
        problem = self.run_client([*client, f"home={running.home}", *settings(running.ports)], title)
        running.stop()
        self.report.end(problem)

    def hub(self, title, checks, server, expected):
        """Runs the checks of the hub's JavaScript client, which start what they need themselves."""
        self.report.begin(title, expected)
        home = self.home / "hub"
        home.mkdir(parents=True, exist_ok=True)
        # Node takes a file of this name for a module wherever it is.
        client = shutil.copy(REPO / "ws-hub/client/ws-hub.js", home / "ws-hub.mjs")
        programs = {"server": server, "redis": tool("redis-server"), "nginx": tool("nginx")}
        arguments = settings(programs | self.browser() | {"client": client, "home": home})
        problem = self.run_client([*checks, *arguments], title)
        self.report.end(problem)

    def demo(self, script, ws, server, expected):
        """Has a browser use the page of `ws serve`, which the last checks interrupt."""
        title = "Chromium → ws serve"
        self.report.begin(title, expected)
        with open(self.log("ws-serve"), "w+") as log:
            serving = PROCESSES.start([ws, "serve", "--listen", "127.0.0.1:0"], stdout=log, stderr=subprocess.STDOUT)
        line = self.await_line(serving, log.name, "http://127.0.0.1:", anywhere=True)
        if line is None:
            self.report.end(f"`ws serve` did not print its address, see {log.name}")
            return
        url = "http://127.0.0.1:" + line.split("/")[0].split()[0]
        listening, listeners = self.serve(title, server)
        if listening is None:
            return
        more = {"url": url, "server": serving.pid, "out": self.home}
        arguments = settings(listeners | self.browser() | more)
        problem = self.run_client([*script, *arguments], title) or self.await_exit(serving)
        PROCESSES.stop(listening)
        PROCESSES.stop(serving)
        self.report.end(problem)

    def instances(self, script, python, ws, expected):
        """Has a browser use two instances of `ws serve` behind nginx, while one of them and Redis are killed."""
        title = "Chromium → nginx → two ws serve → Redis"
        self.report.begin(title, expected)
        running = Instances(self.home, python, ws)
        more = {"commands": json.dumps(running.commands), "ports": json.dumps(running.ports), "out": running.home}
        self.report.end(self.run_client([*script, *settings(self.browser() | more)], title))

    def browse(self, title, script, server, expected, secure=False, behind=None):
        """Has a browser open connections over TLS, to the server itself or to a proxy."""
        self.report.begin(title, expected)
        serving, listeners = self.serve(title, server, secure)
        if serving is None:
            return
        nginx = behind and behind(self.home, self.certificates, listeners)
        urls = nginx.urls if nginx else listeners
        problem = self.run_client([*script, *settings(urls | self.browser())], title) or self.await_exit(serving)
        if nginx:
            nginx.stop()
        PROCESSES.stop(serving)
        self.report.end(problem)

    def examples(self, title, checks, examples, expected):
        """Runs the checks that start the examples themselves."""
        self.report.begin(title, expected)
        folder = pathlib.Path(next(iter(examples.values()))).parent
        arguments = {"examples": folder, "certificates": self.certificates, "nginx": tool("nginx"), "redis": tool("redis-server")}
        problem = self.run_client([*checks, *settings(arguments)], title)
        self.report.end(problem)

    def pages(self, title, script, examples, expected):
        """Has a browser open the pages of two examples, and connect to a third that accepts pages of the second."""
        self.report.begin(title, expected)
        programs, urls = {}, {}
        for name in ("time_push", "counter", "origin_check"):
            with open(self.log(title, name), "w+") as log:
                command = [examples[name], "127.0.0.1:0", *([urls["counter"]] if name == "origin_check" else [])]
                programs[name] = PROCESSES.start(command, stdout=log, stderr=subprocess.STDOUT)
            start = "Listening at ws://" if name == "origin_check" else "Open http://"
            line = self.await_line(programs[name], log.name, start)
            if line is None:
                self.report.end(f"{name} did not print its address, see {log.name}")
                return
            urls[name] = f"http://{line.split()[0].rstrip('/;')}"
        arguments = urls | self.browser() | {"counter-pid": programs["counter"].pid}
        problem = self.run_client([*script, *settings(arguments)], title) or self.await_exit(programs["counter"])
        for program in programs.values():
            PROCESSES.stop(program)
        self.report.end(problem)

    def browser(self):
        """The browser, and a profile for it that knows our CA."""
        profile = self.home / f"chromium-profile-{os.getpid()}"
        shutil.rmtree(profile, ignore_errors=True)
        PROCESSES.profiles.append(profile)
        if self.certificates:
            trusted = profile / ".pki/nssdb"
            trusted.mkdir(parents=True)
            output_of([certutil(), "-d", f"sql:{trusted}", "-N", "--empty-password"])
            ca = ["-n", "interop", "-t", "C,,", "-i", self.certificates / "ca.pem"]
            output_of([certutil(), "-d", f"sql:{trusted}", "-A", *ca])
        return {"browser": chromium(), "profile": profile}

    def serve(self, title, server, secure=False):
        """Starts a server; it, and its listeners by name. None when it did not start, which is reported."""
        if secure:
            server = [*server, f"certificates={self.certificates}"]
        with open(self.log(title, "server"), "w+") as log:
            serving = PROCESSES.start(server, stdout=log, stderr=subprocess.STDOUT)
        ready = self.await_line(serving, log.name, "ready ")
        if ready is None:
            self.report.end(f"the server did not start, see {log.name}")
            return None, {}
        return serving, dict(entry.split("=", 1) for entry in ready.split())

    def log(self, *words):
        label = "-".join(words).replace(" ", "-").replace("→", "to")
        return self.home / "logs" / f"{label}.log"

    def await_line(self, process, path, start, anywhere=False):
        """The rest of the first line that starts with `start`, or contains it; None when there is none in 15 s."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            for line in open(path).readlines():
                if line.endswith("\n") and (line.startswith(start) or anywhere and start in line):
                    return line.split(start, 1)[1].strip()
            if process.poll() is not None:
                return None
            time.sleep(0.05)
        return None

    def run_client(self, command, title):
        """Feeds the client's lines to the report; returns what was wrong with it as a whole, if anything."""
        wanted = "checks=" + "|".join(self.report.missing)
        with open(self.log(title, "client"), "w") as log:
            client = PROCESSES.start([*command, wanted], stdout=subprocess.PIPE, stderr=log)
            watchdog = threading.Timer(CLIENT_DEADLINE, signal_group, [client.pid, signal.SIGKILL])
            watchdog.start()
            try:
                for line in client.stdout:
                    verdict, _, rest = line.rstrip("\n").partition("\t")
                    if verdict in ("ok", "fail"):
                        self.report.add(verdict == "ok", *rest.partition("\t")[::2])
                status = client.wait()
            finally:
                watchdog.cancel()
            PROCESSES.stop(client)
        # 1 says that a check failed, which was reported as such.
        return None if status in (0, 1) else f"the client ended with status {status}, see {log.name}"

    def await_exit(self, process):
        try:
            status = process.wait(15)
        except subprocess.TimeoutExpired:
            return "the server still runs 15 s after its shutdown"
        return None if status == 0 else f"the server ended with status {status}"


def settings(values):
    return [f"{name}={value}" for name, value in values.items()]
