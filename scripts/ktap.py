# SPDX-License-Identifier: GPL-2.0
"""
Read the KTAP of a suite, as a kernel or a program reports it, by its
indentation: what breaks off keeps its name and the tests that it reported, and
does not disturb what follows.  (The kernel's own parser, kunit_parser.py, takes
the next result for one more test of a program that broke off.)
"""

import re

# Of kselftest: what a program leaves with when tests of it failed
KSFT_FAIL = "exit status 1"

NO_NAME = "(no name)"
ABORTED = "(aborted)"

PREFIX = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[CT]\d+\])? ")
HEADER = re.compile(r"^K?TAP version \d+$")
RESULT = re.compile(r"^( *)(not ok|ok) \d+(?: -)?(?: ([^#]*?))?(?: ?# ?(.*))?$")
PLAN = re.compile(r"^( *)1\.\.(\d+)")
SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
PLANNED = re.compile(r"^# planned: (.*)$")


class Test:
    """One test; with tests below it if there are any."""

    def __init__(self, name, status, why="", level=None):
        self.name, self.status, self.why = name, status, why
        self.tests = level.tests if level else []
        planned = level.planned if level else None
        if planned is not None and planned != len(self.tests):
            self.tests.append(Test(ABORTED, "fail", f"{len(self.tests)} of {planned} reported"))


class Level:
    """The tests of one indentation, as long as what they belong to has not reported."""

    def __init__(self):
        self.name, self.planned, self.tests = ABORTED, None, []


def fold(levels, indent):
    """Take the levels deeper than this away; what is between them never reported."""
    inner = None
    for deeper in sorted((i for i in levels if i > indent), reverse=True):
        level = levels.pop(deeper)
        if inner:
            level.tests.append(Test(inner.name, "fail", "did not end", inner))
        inner = level
    return inner


def read(lines):
    """Return the whole report as one test, and the names of what was to run; or None, []."""
    levels, planned = {}, []
    for line in lines:
        line = PREFIX.sub("", line.rstrip())
        if not levels and not HEADER.match(line):
            continue
        top = levels.setdefault(0, Level())
        if match := RESULT.match(line):
            indent, ok, name, why = len(match[1]), match[2] == "ok", (match[3] or "").strip(), match[4] or ""
            below = fold(levels, indent)
            status = "fail" if not ok else "skip" if why.upper().startswith("SKIP") else "pass"
            levels.setdefault(indent, Level()).tests.append(Test(name or NO_NAME, status, why, below))
        elif match := PLAN.match(line):
            levels.setdefault(len(match[1]), Level()).planned = int(match[2])
        elif match := SUBTEST.match(line):
            levels.setdefault(len(match[1]), Level()).name = match[2]
        elif match := PLANNED.match(line):
            planned.append(match[1])
    if not levels:
        return None, []
    below = fold(levels, 0)
    if below:
        top.tests.append(Test(below.name, "fail", "did not end", below))
    if planned:
        top.planned = None      # what is missing has a name
    return Test("", "pass", "", top), planned


def explained(test, below):
    """Do the tests below this one say why it did not pass?"""
    if test.status == "fail":
        # A program that was killed, or died, says more than that tests of it failed.
        return "fail" in below and test.why in ("", KSFT_FAIL)
    return test.status in below


def cases(test, path=()):
    """Yield (name, status, why) of each test case below a parsed test."""
    for sub in test.tests:
        name = "/".join(path + (sub.name,))
        below = list(cases(sub, path + (sub.name,)))
        yield from below
        if not sub.tests:
            yield name, sub.status, sub.why if sub.status == "fail" else ""
        elif sub.status != "pass" and not explained(sub, [status for _, status, _ in below]):
            yield name, sub.status, f"as a whole: {sub.why or sub.status}"


def parse(log):
    """Return {test name: (status, why)} of a log; of two with the same name the second gets a number."""
    with open(log, errors="backslashreplace") as lines:
        top, planned = read(lines)
    if not top or not top.tests and not planned:
        return {"(report)": ("fail", "there is none")}
    found = {}
    for name, status, why in cases(top):
        unique, n = name, 1
        while unique in found:
            n += 1
            unique = f"{name} ({n})"
        found[unique] = status, why
    ran = {test.name for test in top.tests}
    for name in planned:
        if name not in ran:
            found[name] = "fail", "did not run"
    return found
