"""Installs members, in folders outside the sources, in the versions that their manifests name."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

from harness.install import apt_install, fetch
from harness.processes import Fatal, output_of


class Installer:
    def __init__(self, home):
        self.home = home
        self.updated = False

    def install(self, member):
        """Installs what the manifest lists. Returns the member's own folder there, and what its commands may name."""
        folder = self.home / "members" / member.id
        wanted = member.manifest.get("install", {})
        names = {"home": folder, "folder": member.folder, "python": sys.executable, "node": shutil.which("node") or "node"}
        self.install_debian(wanted.get("apt", []))
        if not self.is_installed(folder, member):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if pip := wanted.get("pip"):
                options = ["--no-deps"] if wanted.get("no-deps") else []
                fetch([self.pip(), "-m", "pip", "install", "-q", *options, "--target", folder / "python", *pip])
            if npm := wanted.get("npm"):
                scripts = [] if wanted.get("scripts") else ["--ignore-scripts"]
                fetch(["npm", "install", "--silent", "--no-audit", "--no-fund", *scripts, "--prefix", folder, *npm])
            for command in wanted.get("build", []):
                words = [word.format(**names) for word in command]
                fetch(words, cwd=member.folder, env=self.environment(folder))
            (folder / "installed").write_text(self.digest(member))
        return folder, names

    def environment(self, folder):
        """The environment of a member's programs: they find what is installed for them."""
        return os.environ | {
            "PYTHONPATH": str(folder / "python"),
            "NODE_PATH": str(folder / "node_modules"),
            "CARGO_TARGET_DIR": str(self.home / "cargo"),
            "FLEET_HOME": str(folder),
        }

    def install_debian(self, packages):
        missing = [package for package in packages if debian_version(package) is None]
        if missing:
            apt_install(missing)

    def pip(self):
        """A Python with pip: Debian's own refuses to install, and may have none."""
        python = self.home / "pip/bin/python"
        if not python.exists():
            output_of([sys.executable, "-m", "venv", self.home / "pip"])
        return python

    def is_installed(self, folder, member):
        stamp = folder / "installed"
        return stamp.exists() and stamp.read_text() == self.digest(member)

    def digest(self, member):
        content = json.dumps(member.manifest.get("install", {})) + sys.version
        digest = hashlib.sha256(content.encode())
        # What is compiled depends on the member's sources.
        if member.manifest.get("install", {}).get("build"):
            for file in sorted(member.folder.rglob("*")):
                if file.is_file() and file.name not in ("member.toml", "measured.json"):
                    digest.update(file.read_bytes())
        return digest.hexdigest()

    def version(self, member):
        """The version that is measured: of the package that the manifest names, or of its first."""
        wanted = member.manifest.get("install", {})
        name = member.manifest.get("version-of")
        if isinstance(name, list):
            output = subprocess.run(name, capture_output=True, text=True)
            lines = (output.stdout + output.stderr).strip().splitlines()
            return lines[0].strip() if lines else "?"
        for pin in [*wanted.get("pip", []), *wanted.get("npm", []), *wanted.get("crates", [])]:
            package, _, version = pin.replace("==", "@").rpartition("@")
            if name in (None, package):
                return version
        for package in wanted.get("apt", []):
            if name in (None, package):
                return f"Debian {debian_version(package)}"
        raise Fatal(f"{member.id}: version-of names no package of [install]")


def debian_version(package):
    """The version of an installed package, or None."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package]
    found = subprocess.run(query, capture_output=True, text=True)
    status, _, version = found.stdout.partition(" ")
    return version if found.returncode == 0 and status == "installed" else None
