"""Starts members and our program, and waits for them."""

import queue
import signal
import socket
import subprocess
import threading
import time

from harness.processes import PROCESSES, signal_group

# How long a program may take to listen, and how long an exchange may take.
START = 60
EXCHANGE = 25


class Failed(Exception):
    """An exchange did not work."""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Program:
    """A process whose output is read line by line, and kept."""

    def __init__(self, command, log, **options):
        self.log = log
        self.lines = queue.Queue()
        self.kept = open(log, "a")
        self.kept.write(f"$ {' '.join(map(str, command))}\n")
        self.kept.flush()
        options = {"stdin": subprocess.DEVNULL} | options
        try:
            self.process = PROCESSES.start(command, stdout=subprocess.PIPE, stderr=self.kept, errors="replace", **options)
        except OSError as error:
            raise Failed(f"{command[0]} does not start: {error}") from None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.kept.write(line)
            self.kept.flush()
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, *starts, patience=EXCHANGE):
        """The next line that begins with one of these; None at the end of the output, or when it takes too long."""
        deadline = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                self.lines.put(None)
                return None
            if line.startswith(starts):
                return line

    def ended(self, patience=10):
        try:
            self.process.wait(patience)
            return True
        except subprocess.TimeoutExpired:
            return False

    def terminate(self, signum=signal.SIGTERM):
        signal_group(self.process.pid, signum)

    def stop(self):
        PROCESSES.stop(self.process, patience=2)
        self.reader.join(2)
        self.kept.close()


def await_port(program, port, patience=START):
    """Waits until something accepts connections there."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            pass
        if program.process.poll() is not None:
            raise Failed(f"it ends with status {program.process.returncode} instead of listening")
        time.sleep(0.05)
    raise Failed(f"it does not listen within {patience} s")


class Ours:
    """The program `fleet-peer`, on ws-tokio."""

    def __init__(self, program, certificates):
        self.program = program
        self.certificates = certificates

    def start(self, log, *words, **settings):
        arguments = [f"{name}={value}" for name, value in settings.items()]
        return Program([self.program, *words, f"certificates={self.certificates}", *arguments], log)


def verdict(line):
    """What was seen, from the last line of an exchange; or a failure."""
    if line is None:
        raise Failed("our program gave no verdict")
    kind, _, text = line.partition("\t")
    if kind != "ok":
        raise Failed(text)
    return text
