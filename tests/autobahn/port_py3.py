#!/usr/bin/env python3
"""Convert an unpacked autobahntestsuite 25.10.1 sdist (Python 2 only) to Python 3.

usage: port_py3.py SDIST_DIR

Works on the published sdist, in place.  Method:

* Test case sources are read as latin-1 and written as UTF-8, so that every Python 2
  byte-string literal becomes a Python 3 str whose characters are exactly the
  original octets (U+0000..U+00FF).  Test cases keep computing on such "native"
  strings; _py2compat.py (copied next to them) converts at the boundary to
  Autobahn: octets out on send*, octets in on onMessage / onPong.
* fissix (a fork of lib2to3) does the syntax.
* A short list of exact substitutions does the rest; each must match the stated
  number of times, otherwise the port stops (so a changed sdist cannot be
  half-converted).
"""
import os
import re
import shutil
import sys

from fissix import refactor

KEEP = {"__init__.py", "_version.py", "caseset.py", "choosereactor.py", "fuzzing.py",
        "report.py", "spectemplate.py", "testee.py", "wstest.py"}

FIXERS = ["fissix.fixes.fix_" + n for n in (
    "basestring dict except has_key import long ne numliterals print raise repr xrange"
).split()]

COMPAT_BINASCII = "from autobahntestsuite import _py2compat as binascii\n"


def sub(text, path, old, new, count=1):
    found = text.count(old)
    if found != count:
        sys.exit("%s: expected %d of %r, found %d" % (path, count, old, found))
    return text.replace(old, new)


def drop_lines(text, path, *lines):
    for line in lines:
        pattern = re.compile(r"^" + re.escape(line) + r"[ ]*\n", re.M)
        text, n = pattern.subn("", text)
        if n != 1:
            sys.exit("%s: expected 1 line %r, found %d" % (path, line, n))
    return text


def pre(rel, text):
    """Edits on the Python 2 text, before the syntax conversion."""
    if rel == "__init__.py":
        text = drop_lines(text, rel, "import echo", "import broadcast", "import massconnect")
    elif rel == "wstest.py":
        text = drop_lines(text, rel, "import echo", "import broadcast", "import massconnect",
                          "import serializer")
    elif rel == "report.py":
        # the rest is the WAMP report generator (unused, needs jinja2)
        text = drop_lines(text, rel, "import jinja2")
        text = text[:text.index("REPORT_DIR_PERMISSIONS =")]
    elif rel == "case/__init__.py":
        # 9.9.1 is not in the list of cases upstream, and needs a Python 2 only API.
        text = drop_lines(text, rel, "from case9_9_1 import *")
    elif rel == "case/case.py":
        text = sub(text, rel, "pickle.dumps(obj1) == pickle.dumps(obj2)", "obj1 == obj2")
    elif rel == "case/case10_1_1.py":
        text = sub(text, rel, "len(self.payload) / self.p.autoFragmentSize",
                   "len(self.payload) // self.p.autoFragmentSize")
    elif rel == "testee.py":
        text = sub(text, rel, "listenWS(factory, sslContext)",
                   "listenWS(factory, sslContext, interface = listen_interface(factory.host))")
        text = sub(text, rel, "import autobahn\n",
                   "import autobahn\nfrom autobahntestsuite._py2compat import listen_interface\n")
    elif rel == "caseset.py":
        text = sub(text, rel, "'\\.'", "'\\\\.'", 3)
    elif rel == "case/case12_x_x.py":
        text = sub(text, rel, "## test data set\n",
                   "from autobahntestsuite._py2compat import COMPRESSION_MESSAGES\n"
                   "MSG_SIZES = [(s[0], COMPRESSION_MESSAGES or s[1], s[2], s[3])"
                   " for s in MSG_SIZES]\n\n## test data set\n")
        text = sub(text, rel, '"sendOne": sendOne,', '"sendOne": sendOne, "RAW_OCTETS": True,', 2)
    elif rel == "case/case6_x_x.py":
        text = sub(text, rel, "from autobahn.websocket.utf8validator import Utf8Validator",
                   "from autobahntestsuite._py2compat import Utf8Validator")
        # only unit tests of the validator follow; they are Python 2 specific
        text = text[:text.index("import binascii\nimport array\n")]
    elif rel == "fuzzing.py":
        text = sub(text, rel, "class FuzzingProtocol:",
                   "from autobahntestsuite._py2compat import Py2Octets, TIMEOUT_SCALE, "
                   "asciiLogData, binLogData, listen_interface, octets, "
                   "open_text as open, text\n\n\nclass FuzzingProtocol(Py2Octets):")
        text = sub(text, rel, '"description": self.Case.DESCRIPTION,',
                   '"description": text(octets(self.Case.DESCRIPTION)),')
        text = sub(text, rel, "</p>\\n' % CCase.DESCRIPTION)",
                   "</p>\\n' % text(octets(CCase.DESCRIPTION)))")
        text = sub(text, rel, "p = ''.join(payload)", "p = b''.join(payload)")
        # upstream listens on all interfaces, whatever host the URL names
        text = sub(text, rel, "listenWS(factory, sslContext)",
                   "listenWS(factory, sslContext, interface = listen_interface(factory.host))")
        text = sub(text, rel, "listenTCP(webport, web)",
                   "listenTCP(webport, web, interface = listen_interface(factory.host))")
        text = sub(text, rel, "listenSSL(webport, web, sslContext)",
                   "listenSSL(webport, web, sslContext, "
                   "interface = listen_interface(factory.host))")
        text = sub(text, rel, "webdir.putChild('cwd', curdir)", "webdir.putChild(b'cwd', curdir)")
        text = sub(text, rel, '% (c[0], case[c[0]], c[1])).encode("utf-8"))',
                   "% (c[0], case[c[0]], c[1])))")
        text = sub(text, rel, "ll.encode('utf8')", "ll")
        for name in ("Kill", "Close"):
            text = sub(text, rel, "reactor.callLater(delay, self.execute%sAfter)" % name,
                       "reactor.callLater(delay * TIMEOUT_SCALE, self.execute%sAfter)" % name)
        for attr in ("localCloseReason", "remoteCloseReason"):
            text = sub(text, rel, '"%s": self.%s,' % (attr, attr),
                       '"%s": text(self.%s),' % (attr, attr))
        for key in ("http_request_data", "http_response_data"):
            text = sub(text, rel, "self.%s if hasattr" % key, "text(self.%s) if hasattr" % key)
    if rel.startswith("case/"):
        text = text.replace("(object, Case, )", "(Case, )").replace("(object, Case)", "(Case, )")
    if re.search(r"^import .*\bbinascii\b", text, re.M):
        text = re.sub(r"^import binascii *\n", COMPAT_BINASCII, text, flags=re.M)
        text = re.sub(r"^(import .*), binascii\b(.*\n)", r"\1\2" + COMPAT_BINASCII, text,
                      flags=re.M)
    return text


def main(root):
    here = os.path.dirname(os.path.abspath(__file__))
    pkg = os.path.join(root, "autobahntestsuite")
    for name in os.listdir(pkg):
        path = os.path.join(pkg, name)
        if name == "wampcase":
            shutil.rmtree(path)
        elif name.endswith(".py") and name not in KEEP:
            os.remove(path)
    os.remove(os.path.join(pkg, "case", "case9_9_1.py"))

    texts = {}
    for folder in ("", "case"):
        for name in sorted(os.listdir(os.path.join(pkg, folder))):
            if not name.endswith(".py"):
                continue
            rel = os.path.join(folder, name)
            with open(os.path.join(pkg, rel), "rb") as f:
                text = f.read().decode("latin-1" if folder else "utf-8").replace("\r\n", "\n").replace("\r", "\n")
            text = re.sub(r"\A(#.*\n)?# *-?\*?-? *coding[=:].*\n", r"\1", text)
            text = re.sub(r"^# *coding *[=:].*\n", "", text, flags=re.M)
            texts[rel] = pre(rel, text if text.endswith("\n") else text + "\n")

    # fix_import looks at the files on disk to tell siblings from libraries
    tool = refactor.RefactoringTool(FIXERS)
    for rel, text in texts.items():
        out = str(tool.refactor_string(text, os.path.join(pkg, rel)))
        # catches whatever the fixers left behind
        compile(out, rel, "exec")
        texts[rel] = out
    for rel, text in texts.items():
        with open(os.path.join(pkg, rel), "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
    shutil.copy(os.path.join(here, "py2compat.py"), os.path.join(pkg, "_py2compat.py"))

    # dependencies are installed, pinned, by install.sh
    req = os.path.join(pkg, "requirements.txt")
    if os.path.exists(req):
        os.remove(req)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
