"""What the scripts of programs use: they start the program, talk to it through our client, and say what they saw.

    import fleet

    fleet.await_port(port, fleet.start(["mosquitto", "-c", config]))
    with fleet.check("CONNECT and CONNACK"):
        with fleet.talk(f"ws://127.0.0.1:{port}/", subprotocols="mqtt") as ws:
            ws.send(bytes.fromhex("10 0f 0004 4d515454 04 02 003c 0003 666c74"))
            fleet.same(ws.recv(), bytes.fromhex("20020000"))

Everything that is started here ends with the script.
"""

import atexit
import contextlib
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HOME = pathlib.Path(os.environ["FLEET_HOME"])
# With ca.pem, server.pem and server.key for 127.0.0.1 and localhost.
CERTIFICATES = pathlib.Path(os.environ["FLEET_CERTIFICATES"])
_started = []
_folders = []


def work():
    """An empty folder, which is removed at the end."""
    folder = tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True)
    _folders.append(folder)
    return pathlib.Path(folder.name)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start(command, **options):
    """Starts a program; its output goes to the log."""
    options = {"stdin": subprocess.DEVNULL, "stdout": sys.stderr, "stderr": sys.stderr} | options
    process = subprocess.Popen(list(map(str, command)), **options)
    _started.append(process)
    return process


def await_port(port, process=None, seconds=60):
    """Waits until something listens on the port, unless the process ends first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
        if process and process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ends with status {process.returncode} instead of listening")
    raise SystemExit(f"nothing listens on port {port} within {seconds} s")


@contextlib.contextmanager
def check(name):
    """Says whether what is inside went well."""
    try:
        yield
        print(f"ok\t{name}", flush=True)
    except Exception as error:  # Whatever it is, it is the verdict.
        print(f"fail\t{name}\t{type(error).__name__}: {' '.join(str(error).split())}", flush=True)


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {str(actual)[:200]!r}, expected {str(expected)[:200]!r}")


class Talk:
    """A connection of our client. Settings are those of `fleet-peer`: subprotocols, origin, headers, compression, ping, limit."""

    def __init__(self, url, **settings):
        arguments = [f"{name}={value}" for name, value in settings.items()]
        command = [os.environ["FLEET_PEER"], "talk", url, f"certificates={CERTIFICATES}", *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": sys.stderr}
        self.process = start(command, text=True, **pipes)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        first = self._next(15)
        if not first.startswith("open "):
            raise ConnectionError(first)
        # None without one.
        self.subprotocol = None if first == "open -" else first.removeprefix("open ")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put("ended")

    def _next(self, seconds):
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"nothing within {seconds} s") from None

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def send(self, message):
        self._say("text " + json.dumps(message) if isinstance(message, str) else "binary " + message.hex())

    def recv(self, seconds=15):
        """The next message, text as `str` and binary as `bytes`."""
        line = self._next(seconds)
        kind, _, rest = line.partition(" ")
        if kind == "text":
            return json.loads(rest)
        if kind == "binary":
            return bytes.fromhex(rest)
        raise ConnectionError(f"{line} instead of a message")

    def until(self, wanted, seconds=15):
        """The first message for which `wanted` is true; those before it are dropped."""
        while True:
            message = self.recv(seconds)
            if wanted(message):
                return message

    def ping(self):
        """Sends a Ping and waits for its Pong. Messages on the way are dropped."""
        self._say("ping")
        while (line := self._next(15)) != "pong":
            if not line.startswith(("text ", "binary ")):
                raise ConnectionError(f"{line} instead of a Pong")

    def close(self, code=1000, reason=""):
        """Closes. Returns the code and the reason of the end."""
        self._say(f"close {code} {reason}")
        return self.closed()

    def closed(self, seconds=15):
        """Waits for the end: its code and reason. Messages on the way are dropped."""
        while True:
            line = self._next(seconds)
            if line.startswith("closed "):
                code, _, reason = line.removeprefix("closed ").partition(" ")
                return int(code), reason
            if line == "ended":
                raise ConnectionError("our client ended without an outcome")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _end(self.process)


def talk(url, **settings):
    return Talk(url, **settings)


def ping_and_close(ws):
    """The checks `Ping` and `we close 1000`, with which most scripts end."""
    with check("Ping"):
        ws.ping()
    with check("we close 1000"):
        code, reason = ws.close(1000, "bye")
        if code == 1006:
            raise AssertionError(f"no Close in answer: {reason}")


def _end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@atexit.register
def _end_all():
    for process in reversed(_started):
        _end(process)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
