"""What is said about the checks."""

import sys
import time


class Report:
    def __init__(self, only):
        self.only = only
        self.passed = self.failed = 0
        self.group_start = time.monotonic()
        self.took = {}

    def end_group(self, name):
        """Notes how long the group took, whose checks are done."""
        now = time.monotonic()
        self.took[name] = now - self.group_start
        self.group_start = now

    def begin(self, title, expected):
        print(f"\n{title}", flush=True)
        self.since = time.monotonic()
        self.missing = [name for name in expected if self.only in name]

    def expect(self, name):
        if self.only in name:
            self.missing.append(name)

    def add(self, passed, name, detail=""):
        now = time.monotonic()
        if name in self.missing:
            self.missing.remove(name)
        elif passed:
            passed, detail = False, "nobody asked for this check: is it in the list of tests/interop/run?"
        if passed:
            self.passed += 1
            print(f"  ok    {name:47} {now - self.since:6.2f} s", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL  {name}: {detail}", flush=True)
        self.since = now

    def end(self, problem):
        if self.missing:
            self.failed += len(self.missing)
            print(f"  FAIL  no verdict on {len(self.missing)}: {'; '.join(self.missing)}", flush=True)
        if problem:
            self.failed += 1
            print(f"  FAIL  {problem}", flush=True)

    def summarize(self):
        if self.passed + self.failed == 0:
            print("no check has such a name", file=sys.stderr)
            return 2
        took = ", ".join(f"{name} {took:.0f} s" for name, took in self.took.items())
        print(f"\n{self.passed} passed, {self.failed} failed in {sum(self.took.values()):.0f} s: {took}", flush=True)
        return 0 if self.failed == 0 else 1
