"""What is started here, and stopped again."""

import os
import pathlib
import shutil
import signal
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[3]


class Fatal(Exception):
    """Nothing could be checked; the message says what to do about it."""


class Processes:
    """Everything that was started here, each in a process group of its own, so that it can be stopped whole."""

    def __init__(self):
        self.started = []
        self.profiles = []

    def start(self, command, **options):
        process = subprocess.Popen(list(map(str, command)), start_new_session=True, text=True, **options)
        self.started.append(process)
        return process

    def stop(self, process, patience=5):
        if process.poll() is None:
            signal_group(process.pid, signal.SIGTERM)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        # The group may outlive its leader.
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
        self.started.remove(process)

    def stop_all(self):
        for process in self.started[:]:
            self.stop(process)
        for profile in self.profiles:
            kill_users_of(profile)
            shutil.rmtree(profile, ignore_errors=True)


PROCESSES = Processes()


def signal_group(group, signum):
    try:
        os.killpg(group, signum)
    except (ProcessLookupError, PermissionError):
        pass


def kill_users_of(profile):
    """The browser leads a group of its own; its profile directory, which only this run knows, tells it."""
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(profile).encode() in cmdline.read_bytes():
                os.kill(int(cmdline.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            pass


def output_of(command, cwd=REPO, stderr=subprocess.PIPE, **options):
    process = PROCESSES.start(command, cwd=cwd, stdout=subprocess.PIPE, stderr=stderr, **options)
    out, err = process.communicate()
    PROCESSES.stop(process)
    if process.returncode != 0:
        raise Fatal(f"{' '.join(map(str, command))} failed:\n{out if stderr else ''}{err or ''}")
    return out
