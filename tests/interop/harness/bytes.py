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
        # Programs, and the ends of tunnels to each: ours at both ends, and websockify at one.
        targets = ["redis", "ssh", "count"]
        kinds = ["serve", "connect", "websockify", "past_websockify"]
        names = [*targets, *(f"{kind}_{target}" for kind in kinds for target in targets)]
        self.ports = ports = dict(zip(names, free_ports(len(names))))

        quiet = ["--bind", LOCAL, "--save", "", "--appendonly", "no", "--dir", self.home]
        self.start("redis", [tool("redis-server"), "--port", ports["redis"], *quiet])
        self.start("ssh", [tool("sshd"), "-D", "-e", "-f", self.configure_ssh()])
        environment = os.environ | {"PYTHONPATH": str(websockify)}
        # The check itself serves `count`.
        for target in targets:
            to = f"{LOCAL}:{ports[target]}"
            theirs, ours = f"websockify_{target}", f"serve_{target}"
            self.start(theirs, [*python, "-m", "websockify", f"{LOCAL}:{ports[theirs]}", to], env=environment)
            self.start(ours, [tunnel, "serve", f"{LOCAL}:{ports[ours]}", to])
            for client, server in [(f"past_{theirs}", theirs), (f"connect_{target}", ours)]:
                self.start(client, [tunnel, "connect", f"{LOCAL}:{ports[client]}", f"ws://{LOCAL}:{ports[server]}/"])

    def configure_ssh(self):
        """Keys for the server and for the client, and the configurations of both; the user is the one who runs this."""
        for name in ("host", "user"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.home / f"{name}_key"]
            subprocess.run(key, check=True)
        host, port = (self.home / "host_key.pub").read_text(), self.ports["ssh"]
        (self.home / "known_hosts").write_text(f"tunnelled {host}")
        client = [
            f"IdentityFile {self.home}/user_key",
            f"UserKnownHostsFile {self.home}/known_hosts",
            "HostKeyAlias tunnelled",
            "IdentitiesOnly yes",
            "BatchMode yes",
            "LogLevel ERROR",
        ]
        (self.home / "ssh_config").write_text("\n".join(client))
        server = [
            f"ListenAddress {LOCAL}:{port}",
            f"HostKey {self.home}/host_key",
            f"AuthorizedKeysFile {self.home}/user_key.pub",
            "PidFile none",
            "UsePAM no",
            # The folder of these files may belong to another user.
            "StrictModes no",
            "MaxStartups 100",
            "Subsystem sftp internal-sftp",
        ]
        config = self.home / "sshd_config"
        config.write_text("\n".join(server))
        if os.geteuid() == 0:
            # sshd does not start without it. A system without a running sshd may not have it.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        return config

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
