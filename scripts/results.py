#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Turn the KTAP of one suite into one line per test case, by the kernel's own
parser (tools/testing/kunit):

    results.py SUITE LOG STATUS     pass|fail|skip|expected, suite, test, log
    results.py --list SUITE LOG     the lines of configs/expected that LOG asks for

STATUS is the exit status of what wrote LOG.  A test may only fail or be
skipped if configs/expected says so; a test that is listed there and does not
run at all, a report that breaks off, and a bad STATUS that no test explains
are failures like any other.  What configs/expected calls mended or settled has
to pass, with all tests below it.  A name that ends in * there is for all tests
that begin so, and a suite for all suites.
"""

import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "out/base/tools/testing/kunit"))
sys.dont_write_bytecode = True

import kunit_parser                                     # noqa: E402
from kunit_parser import TestStatus                     # noqa: E402
from kunit_printer import null_printer                  # noqa: E402

# boot.sh and timeout(1) leave with these when the run itself went wrong
BAD_RUN = 124

# Suites of the series' own tests: what fails in them on the base is mended.
OURS = ("kunit", "dma", "own-debug", "arm64-4k", "arm64-64k")

# How many tests of kind rare one run of a suite may skip: more is no accident.
RARE = 2

# A test that failed or died, but in none of the tests below it that were run
AS_A_WHOLE = " (as a whole)"


def cases(test, path=()):
    """Yield (name, status) of each test case below a parsed test."""
    bad_below = False
    for sub in test.subtests:
        for name, status in cases(sub, path + (sub.name or "(aborted)",)):
            bad_below |= status in ("fail", "skip")
            yield name, status
    name = "/".join(path) or "(report)"
    if not test.subtests:
        if test.counts.errors:
            yield name, "fail"
        elif test.status == TestStatus.SUCCESS:
            yield name, "pass"
        elif test.status == TestStatus.SKIPPED:
            yield name, "skip"
        else:
            yield name, "fail"
    elif path and not test.ok_status() and not bad_below:
        yield name + AS_A_WHOLE, "fail"


def parse(log):
    """Return {test name: status} of a log."""
    with open(log, errors="backslashreplace") as lines:
        test = kunit_parser.parse_run_tests(lines, null_printer)
    found = {}
    for name, status in cases(test):
        unique, n = name, 1
        while unique in found:
            n += 1
            unique = f"{name} ({n})"
        found[unique] = status
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
    """Yield (verdict, test name) for each test of a suite."""
    expected = expectations(suite)
    found = parse(log)
    rare = RARE
    for name, status in found.items():
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
            yield "fail", name
    for name in expected:
        if expected[name] != "rare" and not was_run(found, name):
            yield "fail", name + " (did not run)"
    if run_status >= BAD_RUN:
        yield "fail", "(the run: a report in the kernel's log, a hang or a crash)"
    elif run_status and all(s == "pass" for s in found.values()):
        yield "fail", f"(the run: exit status {run_status})"


def main(args):
    if args[0] == "--list":
        suite, log = args[1:]
        known = expectations(suite)
        for name, kind in known.items():
            if kind == "rare":
                print(suite, kind, name, sep="\t")
        for name, status in parse(log).items():
            name = name.removesuffix(AS_A_WHOLE)
            if is_rare(known, name):
                continue
            if known.get(name) in ("flaky", "settled"):
                print(suite, known[name], name, sep="\t")
            elif status == "fail" and (suite in OURS or known.get(name) == "mended"):
                print(suite, "mended", name, sep="\t")
            elif status != "pass":
                print(suite, status, name, sep="\t")
        return
    suite, log, run_status = args
    for verdict, name in judge(suite, log, int(run_status)):
        print(verdict, suite, name, log, sep="\t")


main(sys.argv[1:])
