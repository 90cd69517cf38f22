"""What has to be there: tools, other people's peers, ours."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from harness.processes import Fatal, output_of

# Which groups cannot do without. The certificates are made with Python.
NEED_PYTHON = {"python", "node", "chromium", "nginx", "h2", "tunnels", "proxies", "balancers", "bytes", "hub", "examples", "instances", "control"}
NEED_NODE = {"node", "chromium", "nginx", "h2", "hub", "examples", "instances", "control"}
NEED_BROWSER = {"chromium", "nginx", "h2", "hub", "examples", "instances"}
NEED_NGINX = {"nginx", "balancers", "hub", "examples", "instances"}
# Which groups run no programs of ours, or only their own.
NEED_NO_PEERS = {"hub", "examples", "control"}

INTEROP = pathlib.Path(__file__).resolve().parents[1]


def require_tools(groups):
    if sys.version_info < (3, 11):
        raise Fatal("Python 3.11 or later is needed to run this script")
    if shutil.which("cargo") is None:
        raise Fatal("cargo is not on the PATH: install Rust with rustup")

    wanted = []
    if groups & NEED_PYTHON and not has_venv():
        wanted.append("python3-venv")
    if groups & NEED_NODE:
        wanted += [tool + "js" if tool == "node" else tool for tool in ("node", "npm") if not shutil.which(tool)]
    if groups & NEED_BROWSER and chromium() is None:
        wanted += ["chromium", "fonts-dejavu-core"]
    if groups & NEED_BROWSER and certutil() is None:
        wanted.append("libnss3-tools")
    if groups & NEED_NGINX and nginx() is None:
        wanted.append("nginx")
    if "h2" in groups and tool("nghttpx") is None:
        wanted.append("nghttp2-proxy")
    if "tunnels" in groups:
        wanted += [name for name in ("stunnel4", "privoxy") if tool(name) is None]
    if "proxies" in groups:
        forward = {"squid": "squid", "tinyproxy": "tinyproxy-bin", "privoxy": "privoxy", "stunnel4": "stunnel4"}
        forward["microsocks"] = "microsocks"
        wanted += [package for name, package in forward.items() if tool(name) is None and package not in wanted]
    if "balancers" in groups:
        wanted += ["haproxy"] if tool("haproxy") is None else []
        # nginx's own packages have the module built in.
        wanted += ["libnginx-mod-stream"] if shutil.which("dpkg") and not has_stream_module() else []
    if "bytes" in groups and not all(map(tool, ("redis-server", "redis-cli", "redis-benchmark"))):
        wanted.append("redis-server")
    if groups & {"examples", "hub", "instances"} and tool("redis-server") is None and "redis-server" not in wanted:
        wanted.append("redis-server")
    if "bytes" in groups and not all(map(tool, ("sshd", "ssh", "scp", "ssh-keygen"))):
        wanted += ["openssh-server", "openssh-client"]
    if wanted:
        apt_install(wanted)
        if "python3-venv" in wanted and not has_venv():
            raise Fatal("python3 -m venv does not work here, although python3-venv is installed")

    if groups & NEED_NODE:
        version = subprocess.check_output(["node", "--version"], text=True).strip()
        if int(version.lstrip("v").split(".")[0]) < 18:
            raise Fatal(f"Node 18 or later is needed, this is {version}")


def has_venv():
    command = [sys.executable, "-c", "import venv, ensurepip"]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def chromium():
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next(filter(None, map(shutil.which, names)), None)


def certutil():
    return shutil.which("certutil")


def has_stream_module():
    """Whether nginx can pass on TCP."""
    if nginx() is None:
        return False
    version = subprocess.run([nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    return "--with-stream " in version + " " or os.path.exists("/usr/lib/nginx/modules/ngx_stream_module.so")


def nginx():
    return tool("nginx")


def tool(name):
    # Where users other than root do not look.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def apt_install(packages):
    names = " ".join(packages)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Fatal(f"install what is missing first, as root: apt-get install {names}")
    print(f"installing {names} with apt-get", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Something else may be installing.
    apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        fetch([*apt_get, *command], env=environment)


def fetch(command, **options):
    """Runs what downloads, up to three times: mirrors and registries fail now and then."""
    for pause in (5, 20):
        try:
            return output_of(command, **options)
        except Fatal as error:
            print(f"{error}\nonce more in {pause} s", flush=True)
            time.sleep(pause)
    return output_of(command, **options)


def target_directory():
    metadata = output_of(["cargo", "metadata", "--no-deps", "--format-version", "1"])
    return pathlib.Path(json.loads(metadata)["target_directory"])


def install_python(home):
    requirements = INTEROP / "python/requirements.txt"
    venv = home / "python"
    python = venv / "bin/python"
    if not installed(venv, requirements):
        print(f"installing {', '.join(requirements.read_text().split())}", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        output_of([sys.executable, "-m", "venv", venv])
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        fetch([*pip, "--requirement", requirements])
        mark_installed(venv, requirements)
    return [python]


def install_websockify(home, python):
    """The folder of websockify, which needs none of its dependencies for what it does here."""
    requirements = INTEROP / "bytes/requirements.txt"
    folder = home / "websockify"
    if not installed(folder, requirements):
        print(f"installing {requirements.read_text().strip()}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        pip = [*python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        fetch([*pip, "--target", folder, "--requirement", requirements])
        mark_installed(folder, requirements)
    return folder


def install_node(home):
    manifest, lock = INTEROP / "node/package.json", INTEROP / "node/package-lock.json"
    node = home / "node"
    if not installed(node, manifest, lock):
        pins = json.loads(manifest.read_text())["dependencies"]
        print("installing", ", ".join(f"{name} {version}" for name, version in pins.items()), flush=True)
        shutil.rmtree(node, ignore_errors=True)
        node.mkdir(parents=True)
        for file in (manifest, lock):
            shutil.copy(file, node)
        fetch(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=node)
        mark_installed(node, manifest, lock)
    return node


def installed(directory, *pins):
    stamp = directory / "installed"
    return stamp.exists() and stamp.read_text() == digest(pins)


def mark_installed(directory, *pins):
    (directory / "installed").write_text(digest(pins))


def digest(files):
    # The interpreter counts too: a venv is tied to the one that made it.
    content = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def make_certificates(home, python):
    """A CA of this run, what it has signed, and what it should not have."""
    directory = home / "certificates"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    output_of([*python, INTEROP / "python/certificates.py", directory])
    return directory


def build(groups):
    packages = ["-p", "ws-tests", "--bin", "interop-server", "--bin", "interop-client"]
    if "proxies" in groups:
        packages += ["--bin", "proxied-client"]
    if groups & {"chromium", "instances"}:
        packages += ["-p", "ws-command", "--bin", "ws"]
    if "bytes" in groups:
        packages += ["-p", "ws-tokio", "--example", "tunnel"]
    print("building our peers", flush=True)
    return executables(["--release", *packages])


def build_hub():
    """The server of the hub's client protocol."""
    print("building the hub's server", flush=True)
    return executables(["-p", "ws-tests", "--features", "redis", "--bin", "hub-server"])["hub-server"]


def build_examples():
    """The examples of all crates, as `cargo test` builds them, too."""
    print("building the examples", flush=True)
    return executables(["--workspace", "--examples"])


def executables(options):
    messages = ["--message-format", "json-render-diagnostics"]
    built = output_of(["cargo", "build", *options, *messages], stderr=None)
    artifacts = map(json.loads, built.splitlines())
    return {item["target"]["name"]: item["executable"] for item in artifacts if item.get("executable")}
