"""Two network namespaces and the link between them, for a check that has the network fail.

The check itself runs in the first, which ends with its process; the server in the second, which ends with the server.
Both are out of the machine's own network, and nothing is left to clean up, however the processes end.
"""

import asyncio
import contextlib
import os
import shutil

from .peer import Failure

SERVER, PEERS = "192.0.2.1", "192.0.2.2"
PEERS_MAC = "02:00:00:00:00:02"

# Where only root may make a network namespace, others can in a user namespace of their own, if the machine lets them.
INTO_PRIVATE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
# In there everybody is root.
INTO_ANOTHER = ["unshare", "--net"]


async def require_namespaces():
    for tool, package in [("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")]:
        if shutil.which(tool) is None:
            raise Failure(f"`{tool}` is missing: as root, apt-get install {package}")
    await command(*INTO_PRIVATE, "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")


async def join(server):
    """Links this namespace with the server's."""
    pid = str(server.process.pid)
    there = ["nsenter", "--net", "--target", pid]
    veth = ["type", "veth", "peer", "name", "server", "netns", pid]
    await command("ip", "link", "add", "peers", "address", PEERS_MAC, *veth)
    await command("ip", "address", "add", f"{PEERS}/24", "dev", "peers")
    await command("ip", "link", "set", "peers", "up")
    await command(*there, "ip", "address", "add", f"{SERVER}/24", "dev", "server")
    await command(*there, "ip", "link", "set", "server", "up")
    # Who the peers are does not depend on an answer: later there will be none.
    await command(*there, "ip", "neighbour", "replace", PEERS, "lladdr", PEERS_MAC, "nud", "permanent", "dev", "server")
    server.host = SERVER


@contextlib.asynccontextmanager
async def cut():
    """While the block runs the peers' address is nobody's: what is sent there arrives and is dropped, without a reset
    or an ICMP error that would tell."""
    await command("ip", "address", "delete", f"{PEERS}/24", "dev", "peers")
    yield
    await command("ip", "address", "add", f"{PEERS}/24", "dev", "peers")


async def command(*words):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise Failure(f"`{' '.join(words)}` failed: {output.decode().strip() or process.returncode}")
