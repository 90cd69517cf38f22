"""The cases of the Autobahn test suite, and what counts as passing them.

A report is one index.json per wstest process:
{agent: {case: {"behavior", "behaviorClose", "remoteCloseCode", "duration" (ms), "reportfile"}}}.
wstest exits with 0 whatever happened, also when the peer died half way, so a verdict that is
not there is as much a failure as a bad one.
"""
import fnmatch
import json
import os
from collections import Counter

# Cases per subsection of autobahntestsuite 25.10.1: 517 in all.
SUITE = {"1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20, "6.1": 3,
         "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4,
         "6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3,
         "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
         "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2, "9.1": 6, "9.2": 6,
         "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
         "12.1": 18, "12.2": 18, "12.3": 18, "12.4": 18, "12.5": 18, "13.1": 18,
         "13.2": 18, "13.3": 18, "13.4": 18, "13.5": 18, "13.6": 18, "13.7": 18}
CASES = ["%s.%d" % (subsection, i) for subsection, n in SUITE.items() for i in range(1, n + 1)]

# The only cases whose outcome RFC 6455 leaves open.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def section(case):
    return case.split(".")[0]


def select(patterns):
    """The cases that match a pattern: "*", "6.*", "9.1.6"."""
    return [case for case in CASES if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)]


def read(index, agent):
    """The results of one report, each with the path of its page."""
    results = json.loads(index.read_text(encoding="utf-8")).get(agent, {})
    for result in results.values():
        result["page"] = os.path.relpath((index.parent / result["reportfile"]).with_suffix(".html"))
    return results


def acceptable(case, outcome):
    return outcome == "OK" or outcome == "INFORMATIONAL" and case in INFORMATIONAL


def problems(expected, results):
    """What is wrong with each expected case that did not pass; the missing ones share a line."""
    lines = []
    for case in expected:
        result = results.get(case)
        if result and not (acceptable(case, result["behavior"]) and acceptable(case, result["behaviorClose"])):
            lines.append("%s: behavior %s, behaviorClose %s, close code %s, %d ms\n  see %s"
                         % (case, result["behavior"], result["behaviorClose"],
                            result["remoteCloseCode"], result["duration"], result["page"]))
    missing = [case for case in expected if case not in results]
    if missing:
        shown = " ".join(missing[:10]) + (" ..." if len(missing) > 10 else "")
        lines.append("%d cases are not in the report: %s" % (len(missing), shown))
    return lines


def table(expected, results):
    """Outcomes counted per section; BAD CLOSE where only the closing handshake was at fault."""
    def outcome(case):
        result = results.get(case)
        if result is None:
            return "MISSING"
        if acceptable(case, result["behavior"]) and not acceptable(case, result["behaviorClose"]):
            return "BAD CLOSE"
        return result["behavior"]

    rows = {name: [case for case in expected if section(case) == name] for name in map(section, expected)}
    rows["all"] = expected
    counts = {name: Counter(map(outcome, cases)) for name, cases in rows.items()}
    columns = ["OK", "INFORMATIONAL"]
    columns += sorted(set(counts["all"]) - set(columns))
    lines = ["  section  cases" + "".join("  %5s" % c for c in columns) + "  seconds"]
    for name, cases in rows.items():
        numbers = "".join("  %*d" % (max(len(c), 5), counts[name][c]) for c in columns)
        seconds = sum(results[case]["duration"] for case in cases if case in results) / 1000
        lines.append("  %-7s  %5d%s  %7.1f" % (name, len(cases), numbers, seconds))
    return "\n".join(lines)
