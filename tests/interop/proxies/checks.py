#!/usr/bin/env python3
"""Our client behind other people's forward proxies.

usage: checks.py client=PROGRAM plain=URL secure=URL ca=FILE NAME=PORT… [checks=NAME|NAME…]

`client` is `proxied-client`, `plain` and `secure` are echo servers, and each NAME is a proxy on its port.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import os
import subprocess
import sys

args = dict(arg.split("=", 1) for arg in sys.argv[1:])

ECHOED = "echoed; clean: true"
SECRET = "hunter2"


def output(runtime, url, proxy, environment):
    command = [args["client"], runtime, url, args["ca"], *([proxy] if proxy else [])]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    run = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=30)
    said = (run.stdout + run.stderr).strip()
    assert SECRET not in said, said
    return said


def check(expected, proxy=None, urls=None, **environment):
    """On each runtime, over TCP and over TLS to the server."""
    for runtime in ("tokio", "async-std"):
        for url in urls or (args["plain"], args["secure"]):
            said = output(runtime, url, proxy, environment)
            assert expected in said, f"{runtime}, {url}: {said}"


def at(scheme, name, user=""):
    host = "localhost" if scheme == "https" else "127.0.0.1"
    return f"{scheme}://{user}{host}:{args[name]}"


CHECKS = {
    "squid": lambda: check(ECHOED, at("http", "squid")),
    "squid refuses a port: 403 and its page": lambda: check(
        "HTTP 403 Forbidden: \"<!DOCTYPE html", at("http", "squid"), urls=["ws://127.0.0.1:1/"]
    ),
    "tinyproxy with credentials": lambda: check(ECHOED, at("http", "tinyproxy", f"me:{SECRET}@")),
    "tinyproxy without credentials: 407": lambda: check("HTTP 407 Proxy Authentication Required: ", at("http", "tinyproxy")),
    "tinyproxy with other credentials": lambda: check("refused to connect to", at("http", "tinyproxy", f"you:{SECRET}@")),
    "privoxy": lambda: check(ECHOED, at("http", "privoxy")),
    "privoxy, nothing listens: 503": lambda: check("HTTP 503", at("http", "privoxy"), urls=["ws://127.0.0.1:1/"]),
    "squid behind TLS": lambda: check(ECHOED, at("https", "stunnel")),
    "SOCKS5 by microsocks": lambda: check(ECHOED, at("socks5", "microsocks", f"me:{SECRET}@")),
    "SOCKS5, the proxy resolves": lambda: check(ECHOED, at("socks5h", "microsocks", f"me:{SECRET}@")),
    "SOCKS5 without credentials": lambda: check("it wants other credentials", at("socks5", "microsocks")),
    "SOCKS5, nothing listens": lambda: check(
        "refused to connect to", at("socks5", "microsocks", f"me:{SECRET}@"), urls=["ws://127.0.0.1:1/"]
    ),
    "the environment names a proxy": lambda: check(ECHOED, ALL_PROXY=at("socks5h", "microsocks", f"me:{SECRET}@")),
    "the environment excludes a server": lambda: check(ECHOED, all_proxy="http://127.0.0.1:1", NO_PROXY="127.0.0.0/8"),
    "the environment's proxy is absent": lambda: check("the proxy http://127.0.0.1:1: ", all_proxy="http://127.0.0.1:1"),
}


def run(name):
    try:
        CHECKS[name]()
    except Exception as exc:
        print("fail", name, " ".join(f"{type(exc).__name__}: {exc}".split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


wanted = args["checks"].split("|") if "checks" in args else CHECKS
sys.exit(0 if all([run(name) for name in CHECKS if name in wanted]) else 1)
