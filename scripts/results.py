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
"""

import fnmatch
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import ktap                                             # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent

# boot.sh and timeout(1) leave with these when the run itself went wrong
BAD_RUN = 124

# Suites of the series' own tests: what fails in them on the base is mended.
OURS = ("kunit", "dma", "own-debug", "arm64-4k", "arm64-64k")

# How many tests of kind rare one run of a suite may skip: more is no accident.
RARE = 2


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
    found = ktap.parse(log)
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
    found = ktap.parse(log)
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
