#!/usr/bin/env python3
"""Checks `docs/two-instances/compose.yaml` as far as that is possible without containers, and prints the commands in it as JSON:
what each service runs.

usage: compose.py
"""

import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "docs/two-instances"

compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
services = compose["services"]
assert set(compose) == {"services", "volumes"}, set(compose)
assert set(services) == {"redis", "one", "two", "nginx"}, set(services)
known = {"image", "build", "command", "depends_on", "ports", "volumes", "stop_grace_period"}
for name, service in services.items():
    assert set(service) <= known, f"{name}: {set(service) - known}"
    assert service["image"].count(":") == ("build" not in service), f"{name}: an image without a tag"
    for other in service.get("depends_on", []):
        assert other in services, f"{name}: {other} is no service"
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        exists = (FOLDER / source).is_file() if source.startswith(".") else source in compose["volumes"]
        assert exists and target.startswith("/"), f"{name}: {volume}"
    if build := service.get("build"):
        context = (FOLDER / build["context"]).resolve()
        assert (context / "Cargo.toml").is_file() and (context / build["dockerfile"]).is_file(), build
for published in services["nginx"]["ports"]:
    assert published.startswith("127.0.0.1:"), f"{published} is open to everyone"
assert services["one"] == services["two"]

print(json.dumps({name: service.get("command", []) for name, service in services.items()}))
