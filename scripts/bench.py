#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Compare what the benchmark measured on stock and on release:

    bench.py BOUNDS DIR [CASE...]     reads DIR/stock.txt and DIR/release.txt

Prints a table, writes DIR/bench.json and DIR/bench.dat (for the plot).  Exit
status 1 if a bound is missed or a case was not measured.
"""

import json
import pathlib
import statistics
import sys


def measured(path):
    """Return {case: [value of each run]} of the output of the benchmark."""
    found = {}
    for words in map(str.split, path.read_text().splitlines()):
        if len(words) == 2:
            found.setdefault(words[0], []).append(float(words[1]))
    return found


def median(values):
    """Return what the case takes, None if it was not measured."""
    return statistics.median(values) if values else None


def rules(path):
    """Yield the words of each line of the bounds."""
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def judge(value, other, how, bound):
    """Return what is shown, and whether it is within the bound."""
    shown = {"ratio": value / other,
             "plus": value - other, "most": value}[how]
    return shown, bound == "-" or shown <= float(bound)


def compare(bounds, values, wanted):
    """Yield a row for each case that is wanted, measured or not."""
    for case, against, how, bound in rules(bounds):
        if wanted and case not in wanted:
            continue
        kernel, name = against.split(":")
        value = median(values["release"].get(case))
        other = median(values[kernel].get(name))
        shown, good = None, False
        if value is not None and other is not None:
            shown, good = judge(value, other, how, bound)
        yield {"case": case, "against": against, "other": other,
               "value": value, "rule": how, "result": shown,
               "bound": bound, "good": good}


def spread(row, values):
    """Return how far the runs of a case lie apart, None if there is only one."""
    kernel, name = row["against"].split(":")
    sides = {kernel: values[kernel].get(name, []),
             "the series": values["release"].get(row["case"], [])}
    if max(map(len, sides.values())) < 2:
        return None
    return "; ".join(f"{side} {min(runs):.0f} to {max(runs):.0f}"
                     f" in {len(runs)} runs"
                     for side, runs in sides.items() if runs)


def number(value, digits):
    """Return a number as text, or a dash for what was not measured."""
    return "-" if value is None else f"{value:.{digits}f}"


def main(bounds, directory, *wanted):
    values = {kernel: measured(directory / f"{kernel}.txt")
              for kernel in ("stock", "release")}
    rows = list(compare(bounds, values, wanted))
    print(f"{'case':22} {'against':26} {'takes':>10} {'series':>10}"
          f" {'result':>14} {'bound':>6}")
    for row in rows:
        mark = "ok" if row["good"] else "MISSED"
        if row["good"] and row["bound"] == "-":
            mark = ""
        print(f"{row['case']:22} {row['against']:26}"
              f" {number(row['other'], 2):>10} {number(row['value'], 2):>10}"
              f" {row['rule']:>5} {number(row['result'], 3):>8}"
              f" {row['bound']:>6} {mark}")
    for row in rows:
        apart = spread(row, values)
        if apart:
            print(f"{row['case']}: medians; {apart}")
    (directory / "bench.json").write_text(
        json.dumps({"measured": values, "compared": rows}, indent=1) + "\n")
    (directory / "bench.dat").write_text("".join(
        f"{row['case']} {row['result']:.4f}\n" for row in rows
        if row["rule"] == "ratio" and row["result"] is not None))
    missed = [row["case"] for row in rows if not row["good"]]
    print(f"bench: {len(rows)} cases,"
          f" {len(missed)} bounds missed{': ' if missed else ''}"
          + ", ".join(missed))
    return 1 if missed or not rows else 0


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:3]), *sys.argv[3:]))
