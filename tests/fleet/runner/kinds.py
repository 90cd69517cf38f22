"""The exchanges with each kind of member."""

import os
import pathlib
import shutil

from runner.exchanges import EXCHANGES, SEEN
from runner.running import Failed, Program, await_port, free_port, verdict


class Visit:
    """One member in one role: its exchanges, one after the other."""

    def __init__(self, member, kind, ours, folder, names, environment, logs):
        self.member, self.kind, self.ours = member, kind, ours
        self.folder, self.names = folder, names
        self.environment = environment | {
            "FLEET_CA": str(ours.certificates / "ca.pem"),
            "FLEET_CERT": str(ours.certificates / "server.pem"),
            "FLEET_KEY": str(ours.certificates / "server.key"),
            "SSL_CERT_FILE": str(ours.certificates / "ca.pem"),
            "NODE_EXTRA_CA_CERTS": str(ours.certificates / "ca.pem"),
        }
        self.log = logs / f"{member.id}-{kind}.log"
        self.log.unlink(missing_ok=True)
        self.settings = member.of("settings", kind)
        self.idle = float(member.manifest.get("seconds", {}).get("idle", 3))

    def exchanges(self):
        """Those that apply, in their order."""
        without = self.member.of("without", self.kind)
        return [exchange for exchange in EXCHANGES if not any(exchange.startswith(name) for name in without)]

    def start(self, exchange, **names):
        """Starts the member."""
        names = self.names | names
        command = [word.format(**names) for word in self.member.manifest["run"][self.kind]]
        compression = "1" if exchange == "compression" else ""
        environment = self.environment | {"FLEET_COMPRESSION": compression, "FLEET_TLS": "1" if exchange == "TLS" else ""}
        return Program(command, self.log, cwd=self.member.folder, env=environment)

    def note(self, text):
        with open(self.log, "a") as log:
            log.write(text + "\n")

    def end_of(self, exchange, ours, server):
        """Our client's verdict; the server is stopped first if that is what the exchange is about."""
        line = ours.line("open", "ok\t", "fail\t") if exchange == "shutdown" else None
        if line in (None, "open"):
            if line:
                server.terminate()
            line = ours.line("ok\t", "fail\t")
        return verdict(line)

    def settings_of_ours(self, exchange):
        settings = {"idle": self.idle, "ping": 0.3 if exchange == "idle" else 20}
        return settings | self.settings.get("ours", {})


class Client(Visit):
    """A client that echoes, at our server."""

    def run(self, exchange):
        name = "text" if exchange == "TLS" else exchange
        tls = {"tls": "yes"} if exchange == "TLS" else {}
        ours = self.ours.start(self.log, "accept", name, **tls, **self.settings_of_ours(exchange))
        member = None
        try:
            ready = ours.line("ready ", "fail")
            if not (ready or "").startswith("ready "):
                return verdict(ready)
            member = self.start(exchange, url=ready.split()[1])
            seen = verdict(ours.line("ok\t", "fail\t"))
            end = member.line("closed", "refused", "failed", patience=10)
            self.judge(exchange, end)
            if not member.ended():
                raise Failed("its process does not end")
            return seen
        finally:
            for program in filter(None, (member, ours)):
                program.stop()

    def judge(self, exchange, end):
        """Whether the client's application was told the truth."""
        if exchange == "refusal":
            if end is None or end.startswith("closed"):
                raise Failed(f"the application is told {end!r} instead of a refusal")
            return
        if end is None or not end.startswith("closed"):
            raise Failed(f"the application is told {end!r} instead of the end")
        code, _, reason = end.removeprefix("closed").strip().partition(" ")
        expected = {f"we close {name}": seen for name, seen in SEEN.items()} | {"shutdown": (1001, None)}
        # `-`: the library does not tell.
        if exchange in expected and code != "-":
            wanted, words = expected[exchange]
            if code != str(wanted):
                raise Failed(f"the application is told {code} instead of {wanted}")
            if words is not None and reason not in (words, "-"):
                raise Failed(f"the application is told the reason {reason!r} instead of {words!r}")


class Server(Visit):
    """A server that echoes, and our client."""

    def run(self, exchange):
        port = free_port()
        member = self.start(exchange, port=port)
        ours = None
        try:
            await_port(member, port)
            scheme = "wss" if exchange == "TLS" else "ws"
            name = "text" if exchange == "TLS" else exchange
            path = "refuse" if exchange == "refusal" else self.settings.get("path", "")
            url = f"{scheme}://127.0.0.1:{port}/{path}"
            ours = self.ours.start(self.log, "connect", name, url, **self.settings_of_ours(exchange))
            return self.end_of(exchange, ours, member)
        finally:
            for program in filter(None, (ours, member)):
                program.stop()


class Proxy(Visit):
    """What stands between our client and our server."""

    def run(self, exchange):
        port, upstream = free_port(), free_port()
        name = "text" if exchange == "TLS" else exchange
        # The server sends no pings: keepalive is the client's.
        settings = {"compression": "on"} if exchange == "compression" else {}
        settings |= self.settings.get("behind", {})
        behind = self.ours.start(self.log, "echo", str(upstream), ping="off", **settings)
        proxy = ours = None
        try:
            if (line := behind.line("ready", "fail")) != "ready":
                raise Failed(f"our server does not start: {line}")
            names = {"port": port, "upstream": upstream, "work": self.work(exchange)}
            names |= {"cert": self.environment["FLEET_CERT"], "key": self.environment["FLEET_KEY"]}
            names["both"] = "".join(pathlib.Path(names[file]).read_text() for file in ("cert", "key"))
            for file in self.member.manifest.get("config", []):
                text = (self.member.folder / file).read_text()
                for key, value in (self.names | names).items():
                    text = text.replace(f"@{key}@", str(value))
                # Lines that only one of the two has.
                lines = (self.choose(line, self.uses_tls(exchange)) for line in text.splitlines())
                (names["work"] / file).write_text("\n".join(line for line in lines if line is not None) + "\n")
            proxy = self.start(exchange, **names)
            await_port(proxy, port)
            scheme = "wss" if self.uses_tls(exchange) else "ws"
            url = f"{scheme}://127.0.0.1:{port}/{'refuse' if exchange == 'refusal' else ''}"
            ours = self.ours.start(self.log, "connect", name, url, **self.settings_of_ours(exchange))
            return self.end_of(exchange, ours, behind)
        finally:
            for program in filter(None, (ours, proxy, behind)):
                program.stop()

    def uses_tls(self, exchange):
        return exchange == "TLS" or self.settings.get("tls") == "always"

    def choose(self, line, tls):
        """A line of a configuration that begins with @if-tls@ or @if-plain@ is for one of the two."""
        for mark, wanted in (("@if-tls@", True), ("@if-plain@", False)):
            if line.lstrip().startswith(mark):
                return line.replace(mark, "", 1) if tls == wanted else None
        return line

    def work(self, exchange):
        """An empty folder for the proxy's files."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        return work


class Check(Visit):
    """A program with a protocol of its own: its script starts it and makes the exchanges."""

    def exchanges(self):
        return self.member.manifest["more"]

    def run_all(self):
        """The verdict on each exchange."""
        port = free_port()
        environment = {"FLEET_PEER": str(self.ours.program), "FLEET_CERTIFICATES": str(self.ours.certificates)}
        self.environment |= environment
        self.environment["PYTHONPATH"] += os.pathsep + str(pathlib.Path(__file__).resolve().parents[1])
        script = self.start("", port=port)
        results = {}
        try:
            while line := script.line("ok\t", "fail\t", patience=self.member.manifest.get("seconds", {}).get("all", 120)):
                verdict, name, *rest = line.split("\t")
                results[name] = (verdict == "ok", rest[0] if rest else "")
        finally:
            script.stop()
        return results


VISITS = {"client": Client, "server": Server, "proxy": Proxy, "program": Check}
