"""Load balancers in front of a server that send the PROXY protocol, or connect to its Unix socket: haproxy and nginx."""

import glob
import shutil
import subprocess
import time

from harness.install import nginx, tool
from harness.nginx import free_ports, is_open
from harness.processes import PROCESSES, Fatal

# The server trusts 127.0.0.2.
HAPROXY = """\
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s

listen v1
    mode tcp
    bind 127.0.0.1:{haproxy-v1}
    server ours {announced} source 127.0.0.2 send-proxy

listen v2
    mode tcp
    bind 127.0.0.1:{haproxy-v2}
    server ours {announced} source 127.0.0.2 send-proxy-v2

listen tls
    mode tcp
    bind 127.0.0.1:{haproxy-tls}
    server ours {secure} source 127.0.0.2 send-proxy-v2

listen http
    mode http
    option http-server-close
    bind 127.0.0.1:{haproxy-http}
    server ours {announced} source 127.0.0.2 send-proxy-v2

listen checked
    mode http
    bind 127.0.0.1:{haproxy-checked}
    option httpchk GET /page
    http-check expect status 200
    server ours {announced} source 127.0.0.2 send-proxy-v2 check check-send-proxy inter 200ms

listen forwarded
    mode http
    bind 127.0.0.1:{haproxy-forwarded}
    http-request set-header Forwarded for=%[src]
    server ours {forwarded} source 127.0.0.2

listen silent
    mode tcp
    bind 127.0.0.1:{haproxy-silent}
    server ours {announced} source 127.0.0.2

listen stranger
    mode tcp
    bind 127.0.0.1:{haproxy-stranger}
    server ours {announced} source 127.0.0.3 send-proxy-v2
"""

NGINX = """\
{modules}
daemon off;
worker_processes 1;
pid {home}/nginx.pid;

events {{
    worker_connections 256;
}}

stream {{
    server {{
        listen 127.0.0.1:{nginx-stream};
        proxy_bind 127.0.0.2;
        proxy_protocol on;
        proxy_pass {announced};
    }}
}}

http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;

    server {{
        listen 127.0.0.1:{nginx-unix};
        location / {{
            proxy_pass http://unix:{local};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""

NAMES = [
    "haproxy-v1",
    "haproxy-v2",
    "haproxy-tls",
    "haproxy-http",
    "haproxy-checked",
    "haproxy-forwarded",
    "haproxy-silent",
    "haproxy-stranger",
    "nginx-stream",
    "nginx-unix",
]


class Balancers:
    """Both, running; `ports` says where they listen."""

    def __init__(self, home, listeners):
        self.home = home / "balancers"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        # nginx gives up its rights where it is started as root, and connects to the Unix socket then.
        self.home.chmod(0o777)
        self.processes = []
        self.ports = dict(zip(NAMES, free_ports(len(NAMES))))
        targets = {name: url.split("://")[-1] for name, url in listeners.items()}
        values = self.ports | targets | {"home": self.home, "modules": stream_module()}
        self.start("haproxy", ["-db", "-f"], HAPROXY.format(**values))
        self.start("nginx", ["-p", self.home, "-e", self.home / "error.log", "-c"], NGINX.format(**values))

    def start(self, name, options, config):
        path = self.home / f"{name}.conf"
        path.write_text(config)
        with open(self.home / f"{name}.log", "w") as log:
            process = PROCESSES.start([tool(name), *options, path], stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        deadline = time.monotonic() + 20
        for port in (port for where, port in self.ports.items() if where.startswith(name)):
            while not is_open(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Fatal(f"{name} did not start, see {log.name}")
                time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            PROCESSES.stop(process)


def stream_module():
    """The line that loads nginx's module `stream`, where it is not built in."""
    version = subprocess.run([nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    if "--with-stream " in version + " ":
        return ""
    module = next(iter(glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")), None)
    if module is None:
        raise Fatal("nginx lacks its module `stream`: apt-get install libnginx-mod-stream")
    return f"load_module {module};"
