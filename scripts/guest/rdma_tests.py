#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Run tests of rdma-core, which are those of Python's unittest, and report as KTAP,
as a part of a larger report:

    rdma_tests.py [-m BYTES] MODULE | MODULE.CLASS.TEST...

-m sets the length of the messages of those tests that do not choose one.  The
current directory has rdma-core's package "tests".
"""

import argparse
import importlib
import signal
import sys
import unittest
from types import FunctionType

# A test that waits for a completion that does not come waits for ever.
LIMIT = 240

parser = argparse.ArgumentParser()
parser.add_argument("-m", type=int, metavar="BYTES")
parser.add_argument("names", nargs="+")
arguments = parser.parse_args()

# The tests parse the command line on their own.
sys.argv[1:] = []
sys.path[:0] = [".", "tests"]
from args_parser import parser as their_parser          # noqa: E402


class Ktap(unittest.TestResult):
    """Says one line a test, with its reasons before it if it fails."""

    def __init__(self):
        super().__init__()
        self.count = self.passed = self.bad = 0

    def startTest(self, test):
        super().startTest(test)
        self.failed = None
        signal.alarm(LIMIT)

    def stopTest(self, test):
        signal.alarm(0)
        if self.failed:
            self.bad += 1
            self.say("not ok", test)
        super().stopTest(test)

    def say(self, verdict, test, comment=""):
        self.count += 1
        name = test.id().removeprefix("tests.")
        print("   ", verdict, self.count, "-", name, comment, flush=True)

    def fail(self, text):
        self.failed = True
        for line in text.splitlines():
            print("    #", line)

    def addSuccess(self, test):
        self.passed += 1
        self.say("ok", test)

    def addSkip(self, test, reason):
        self.say("ok", test, "# SKIP " + " ".join(str(reason).split()))

    def addError(self, test, err):
        self.fail(self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        self.fail(self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        if err:
            self.fail(self._exc_info_to_string(err, test))


def out_of_time(*_):
    raise TimeoutError(f"not over after {LIMIT} s")


def set_message_size(module, size):
    """Let the messages of its resources be of this size where a test does not choose one."""
    for cls in vars(module).values():
        init = getattr(cls, "__init__", None)
        if not isinstance(init, FunctionType) or not init.__defaults__:
            continue
        code = init.__code__
        names = code.co_varnames[:code.co_argcount][-len(init.__defaults__):]
        init.__defaults__ = tuple(size if name == "msg_size" else default
                                  for name, default in zip(names, init.__defaults__))


their_parser.parse_args()
if arguments.m:
    for name in {"base"} | {name.split(".")[0] for name in arguments.names}:
        set_message_size(importlib.import_module("tests." + name), arguments.m)
# Seconds of an emulated guest say little: what hangs is ended by the alarm.
importlib.import_module("tests.utils").POLL_CQ_TIMEOUT = LIMIT
signal.signal(signal.SIGALRM, out_of_time)
suite = unittest.defaultTestLoader.loadTestsFromNames("tests." + name for name in arguments.names)
print("    KTAP version 1")
print(f"    1..{suite.countTestCases()}", flush=True)
result = Ktap()
suite.run(result)
sys.exit(0 if result.passed and not result.bad else 1)
