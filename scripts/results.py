#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Turn the KTAP of one suite into one line per test case:

    results.py SUITE LOG STATUS     pass|fail|skip|expected, suite, test, log
    results.py --list SUITE LOG     the lines of configs/expected that LOG asks for

STATUS is the exit status of what wrote LOG.  A test may only fail or be
skipped if configs/expected says so; a test that is listed there and does not
run at all, a report that breaks off, and a bad STATUS that no test explains
are failures like any other.  So is a program that dies, whatever became of its
tests.  What configs/expected calls mended or settled has to pass, with all
tests below it.  A name that ends in * there is for all tests that begin so, and
a suite for all suites.

The KTAP is read as a kernel or a program reports it, by its indentation: what
breaks off keeps its name and the tests that it reported, and does not disturb
what follows.  (The kernel's own parser, kunit_parser.py, takes the next result
for one more test of a program that broke off.)
"""

import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# boot.sh and timeout(1) leave with these when the run itself went wrong
BAD_RUN = 124

# Suites of the series' own tests: what fails in them on the base is mended.
OURS = ("kunit", "dma", "own-debug", "arm64-4k", "arm64-64k")

# How many tests of kind rare one run of a suite may skip: more is no accident.
RARE = 2

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


def expectations(suite):
    """Return {test name: kind} that configs/expected has for a suite."""
    expected = {}
    for line in (ROOT / "configs/expected").read_text().splitlines():
        if line and not line.startswith("#"):
            where, status, name = line.split("\t")
            if fnmatch.fnmatchcase(suite, where):
                expected[name] = status
    return expected


def is_rare(expected, name):
    """Is this test, or the nth without a name of a program, of kind rare?"""
    return expected.get(re.sub(r" \(\d+\)$", "", name)) == "rare"


def kind_of(expected, name):
    """Return the kind that is expected of a test: by its name, or by how that begins."""
    if name in expected:
        return expected[name]
    for pattern, kind in expected.items():
        if pattern.endswith("*") and name.startswith(pattern[:-1]):
            return kind
    return None


def was_run(found, name):
    """Is there a test of this name, below it, or that begins so?"""
    beginning = name[:-1] if name.endswith("*") else name + "/"
    return name in found or any(other.startswith(beginning) for other in found)


def judge(suite, log, run_status):
    """Yield (verdict, test name, with the reason of a failure) for each test of a suite."""
    expected = expectations(suite)
    found = parse(log)
    rare = RARE
    for name, (status, why) in found.items():
        wanted = kind_of(expected, name)
        if status == "pass":
            yield "pass", name
        elif status == "skip" == wanted:
            yield "skip", name
        elif status == "skip" and is_rare(expected, name) and rare:
            rare -= 1
            yield "skip", name
        elif status == "fail" and wanted in ("fail", "flaky"):
            yield "expected", name
        elif status == "skip":
            yield "fail", name + " (skipped, and not expected to be)"
        else:
            yield "fail", name + (f" ({why})" if why else "")
    for name in expected:
        if expected[name] != "rare" and not was_run(found, name):
            yield "fail", name + " (did not run)"
    if run_status >= BAD_RUN:
        yield "fail", "(the run: a report in the kernel's log, a hang or a crash)"
    elif run_status and not any(status == "fail" for status, _ in found.values()):
        yield "fail", f"(the run: exit status {run_status})"


def listing(suite, log):
    """Yield (kind, test name) of each line that configs/expected should have."""
    known = expectations(suite)
    for name, kind in known.items():
        if kind == "rare":
            yield kind, name
    found = parse(log)
    bad = {name for name, (status, _) in found.items() if status == "fail"}
    for name, (status, _) in found.items():
        if is_rare(known, name) or any(other.startswith(name + "/") for other in bad):
            continue
        if known.get(name) in ("flaky", "settled"):
            yield known[name], name
        elif status == "fail" and (suite in OURS or known.get(name) == "mended"):
            yield "mended", name
        elif status != "pass":
            yield status, name


def main(args):
    if args[0] == "--list":
        suite, log = args[1:]
        for kind, name in listing(suite, log):
            print(suite, kind, name, sep="\t")
    else:
        suite, log, run_status = args
        for verdict, name in judge(suite, log, int(run_status)):
            print(verdict, suite, name, log, sep="\t")


main(sys.argv[1:])
