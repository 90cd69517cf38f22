"""The results: noted for each member, and the table of all in docs/interop.md."""

import datetime
import json
import os
import pathlib
import platform

from harness.processes import REPO
from runner.exchanges import COLUMNS

DOCUMENT = REPO / "docs/interop.md"
HEADS = {
    "client": ("Client libraries", "Other people's clients at our server."),
    "server": ("Server libraries", "Our client at other people's servers."),
    "proxy": ("Proxies", "Our client and our server, with the proxy between."),
    "program": ("Programs", "Our client at programs with a protocol of their own."),
}
WHOSE = {"theirs": "its fault", "ours": "our fault", "nobody's": "nobody's fault"}

INTRODUCTION = """# Which software works with these crates

This page is made by `tests/fleet/run --write`, which installs each of these programs in the version that is named, and
exchanges messages with it over loopback. Each row has the day of its measurement. [Talking to particular peers](peers.md)
says what an application can do about what does not work. [tests/fleet](../tests/fleet/README.md) has the members, and says
how to add one.

The exchanges of each column:

| column | exchanges |
| --- | --- |
| messages | text, every byte value, empty messages, 70 KB and 1 MiB − 1 of text and of binary, all echoed |
| fragments | a text in four fragments, one of them empty |
| Ping | our Ping is answered with its payload, also between two fragments |
| we close, they close | the closing handshake with 1000, 1001, 3000, 4999, no code, and a reason of 123 bytes; the application at the other end sees code and reason |
| compression | permessage-deflate is agreed on, and messages and fragments pass. In all other columns it is off |
| TLS | a text over TLS. Our client verifies the certificate; whether another client does is not measured |
| refusal | a 403 with a body in place of the handshake; the client tells its application that it was refused |
| idle | three seconds without a message while we send Pings often. Proxies: keepalive holds the connection beyond the proxy's timeout |
| shutdown | the server is stopped, and its clients see 1001 |

✓ works; ✓ with a footnote works with the setting named there; ✗ does not work, and the footnote says whose fault it is;
– does not apply, as the library or the protocol does not have it. `5/6`: of so many.
"""


def note(member, version, measured):
    """Keeps the results of a member beside its manifest."""
    content = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "version": version,
        "results": measured,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (member.folder / "measured.json").write_text(text + "\n")


def machine():
    system = pathlib.Path("/etc/os-release").read_text().split('PRETTY_NAME="')[1].split('"')[0]
    return f"{system}, {platform.machine()}, {os.cpu_count()} cores"


def write(everyone):
    """Writes the document from what is noted. Returns a line about it."""
    noted = []
    for member in everyone:
        path = member.folder / "measured.json"
        if path.exists():
            noted.append((member, json.loads(path.read_text())))
    machines = sorted({measured["machine"] for _, measured in noted})
    parts = [INTRODUCTION, f"Measured on: {'; '.join(machines)}.\n"]
    rows = 0
    for kind, (head, sentence) in HEADS.items():
        chosen = [(member, measured) for member, measured in noted if kind in measured["results"]]
        if not chosen:
            continue
        rows += len(chosen)
        chosen.sort(key=lambda pair: (pair[0].language.lower(), pair[0].name.lower()))
        notes = Notes(kind)
        lines = programs(chosen, notes) if kind == "program" else matrix(kind, chosen, notes)
        parts.append("\n".join([f"## {head}\n", f"{sentence}\n", *lines, "", *notes.lines()]).rstrip() + "\n")
    DOCUMENT.write_text("\n".join(parts))
    return f"{DOCUMENT.relative_to(REPO)}: {rows} rows"


class Notes:
    """The numbered notes under a table, each once."""

    def __init__(self, kind):
        self.kind = kind
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"<sup>{self.texts.index(text) + 1}</sup>"

    def lines(self):
        return [f"{number}. {text}" for number, text in enumerate(self.texts, 1)]


def matrix(kind, chosen, notes):
    languages = kind != "proxy"
    heads = [*(["language"] if languages else []), "proxy" if kind == "proxy" else "library", "version", *COLUMNS, "measured"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for member, measured in chosen:
        cells = [cell(member, kind, measured["results"][kind], exchanges, notes) for exchanges in COLUMNS.values()]
        name = member.name
        if setting := member.of("settings", kind).get("text"):
            name += notes.number(f"{member.name}: {setting}")
        lead = [member.language] if languages else []
        yield f"| {' | '.join([*lead, name, measured['version'], *cells, measured['date']])} |"


def cell(member, kind, results, exchanges, notes):
    applied = [exchange for exchange in exchanges if exchange in results]
    marks = ""
    without = member.of("without", kind)
    for name, reason in without.items():
        if any(exchange.startswith(name) for exchange in exchanges) and reason:
            marks += notes.number(f"{member.name}: {reason}")
    if not applied:
        return f"–{marks}"
    failed = [exchange for exchange in applied if not results[exchange][0]]
    for exchange in failed:
        marks += fault(member, kind, exchange, results[exchange][1], notes)
    for name, setting in member.of("settings", kind).get("exchanges", {}).items():
        if name in applied and name not in failed:
            marks += notes.number(f"{member.name}, {name}: works with {setting}")
    # The same note stands once in a cell.
    parts = list(dict.fromkeys(part + "</sup>" for part in marks.split("</sup>") if part))
    if not failed:
        return "✓" + "".join(parts)
    if len(failed) == len(applied):
        return "✗" + "".join(parts)
    return f"{len(applied) - len(failed)}/{len(applied)}" + "".join(parts)


def fault(member, kind, exchange, seen, notes):
    entry = member.known(kind, exchange)
    if entry is None:
        return notes.number(f"{member.name}, {exchange}: {seen}")
    clause = f" ({entry['clause']})" if "clause" in entry else ""
    return notes.number(f"{member.name}: {entry['text']}; {WHOSE[entry['whose']]}{clause}")


def programs(chosen, notes):
    yield "| program | version | exchanges | measured |"
    yield "| --- | --- | --- | --- |"
    for member, measured in chosen:
        results = measured["results"]["program"]
        told = []
        for exchange, (ok, text) in results.items():
            mark = "" if ok else " ✗" + fault(member, "program", exchange, text, notes)
            told.append(exchange + mark)
        name = member.name
        if setting := member.of("settings", "program").get("text"):
            name += notes.number(f"{member.name}: {setting}")
        yield f"| {name} | {measured['version']} | {'; '.join(told)} | {measured['date']} |"
