"""The members: their manifests."""

import dataclasses
import pathlib
import tomllib

from harness.processes import Fatal

FLEET = pathlib.Path(__file__).resolve().parents[1]
KINDS = ["client", "server", "program", "proxy"]
FIELDS = {"name", "language", "version-of", "install", "run", "config", "settings", "without", "known", "more", "seconds"}


@dataclasses.dataclass
class Member:
    folder: pathlib.Path
    manifest: dict

    @property
    def id(self):
        return self.folder.name

    @property
    def name(self):
        return self.manifest.get("name", self.id)

    @property
    def language(self):
        return self.manifest.get("language", "")

    @property
    def kinds(self):
        return [kind for kind in KINDS if kind in self.manifest["run"]]

    def of(self, section, kind):
        """The part of a section for a kind: `[without.client]`."""
        return self.manifest.get(section, {}).get(kind, {})

    def known(self, kind, exchange):
        """What the manifest says of an exchange that does not work."""
        for entry in self.manifest.get("known", []):
            if entry.get("kind", kind) == kind and exchange in entry["exchanges"]:
                return entry
        return None


def all_members():
    return [read(file.parent) for file in sorted(FLEET.glob("members/*/member.toml"))]


def read(folder):
    path = folder / "member.toml"
    try:
        manifest = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Fatal(f"{path}: {error}") from None
    for name in set(manifest) - FIELDS:
        raise Fatal(f"{path}: no field is called {name}; there are {', '.join(sorted(FIELDS))}")
    if not set(manifest.get("run", {})) & set(KINDS):
        raise Fatal(f"{path}: [run] needs one of {', '.join(KINDS)}")
    for entry in manifest.get("known", []):
        if entry.get("whose") not in ("theirs", "ours", "nobody's") or "text" not in entry or "exchanges" not in entry:
            raise Fatal(f"{path}: an entry of [[known]] has exchanges, text, and whose: theirs, ours or nobody's")
    return Member(folder, manifest)
