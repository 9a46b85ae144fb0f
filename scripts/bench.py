#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Compare what the benchmark measured on stock and on release:

    bench.py cases BOUNDS [CASE...]       prints what has to run: KERNEL CASE
    bench.py compare BOUNDS DIR [CASE...] reads DIR/stock.txt and DIR/release.txt

compare prints a table, writes DIR/bench.json and DIR/bench.dat (for the plot).
Exit status 1 if a bound is missed or a case was not measured, or for a CASE that
BOUNDS does not have.
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


def lines(path):
    """Yield the words of each line of the bounds, one for each case."""
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if words[0].startswith("+"):
            words[0] = words[0][1:]
            yield words
            words = [f"legacy-{words[0]}", *words[1:]]
        yield words


def rules(path, wanted):
    """Yield the case, what it is compared with, how, bound and goal."""
    for case, against, how, bound, *goal in lines(path):
        if not wanted or case in wanted:
            yield case, against.split(":"), how, bound, *(goal or ["-"])


def needed(path, wanted):
    """Return the kernel and the name of all that is compared, without doubles."""
    found = {}
    for case, against, *_ in rules(path, wanted):
        found["release", case] = found[tuple(against)] = True
    return list(found)


def within(value, limit):
    """Return whether a result is within a bound or a goal."""
    return limit == "-" or value <= float(limit)


def result(how, value, other, others):
    """Return what a bound is a limit of."""
    if how == "spread":
        return (value - other) / (max(others) - min(others) or 1)
    return {"ratio": value / other, "plus": value - other, "most": value}[how]


def compare(bounds, values, wanted):
    """Yield a row for each case that is wanted, measured or not."""
    for case, (kernel, name), how, bound, goal in rules(bounds, wanted):
        value = median(values["release"].get(case))
        other = median(values[kernel].get(name))
        shown, good, reached = None, False, False
        if value is not None and other is not None:
            shown = result(how, value, other, values[kernel][name])
            good, reached = within(shown, bound), within(shown, goal)
        yield {"case": case, "against": f"{kernel}:{name}", "other": other,
               "value": value, "rule": how, "result": shown,
               "bound": bound, "goal": goal, "good": good,
               "reached": reached}


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


def remark(row):
    """Return what the table says of a row."""
    if not row["good"]:
        return "MISSED"
    if not row["reached"]:
        return f"ok, goal {row['goal']}"
    return "" if row["bound"] == "-" else "ok"


def show(rows):
    """Print the table."""
    print(f"{'case':27} {'against':34} {'takes':>10} {'series':>10}"
          f" {'result':>14} {'bound':>6}")
    for row in rows:
        print(f"{row['case']:27} {row['against']:34}"
              f" {number(row['other'], 2):>10} {number(row['value'], 2):>10}"
              f" {row['rule']:>5} {number(row['result'], 3):>8}"
              f" {row['bound']:>6} {remark(row)}".rstrip())


def count(what, names):
    """Return how many of them there are, and which."""
    names = list(dict.fromkeys(names))
    return f"{len(names)} {what}{': ' if names else ''}{', '.join(names)}"


def do_cases(bounds, *wanted):
    unknown = set(wanted) - {words[0] for words in lines(bounds)}
    if unknown:
        print(f"{bounds} has no case {', '.join(sorted(unknown))}; it has",
              *dict.fromkeys(words[0] for words in lines(bounds)),
              file=sys.stderr)
        return 1
    for kernel, case in needed(bounds, wanted):
        print(kernel, case)
    return 0


def do_compare(bounds, directory, *wanted):
    directory = pathlib.Path(directory)
    values = {kernel: measured(directory / f"{kernel}.txt")
              for kernel in ("stock", "release")}
    rows = list(compare(bounds, values, wanted))
    show(rows)
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
    print(count("goals not reached", (row["case"] for row in rows
                                      if row["good"] and not row["reached"])))
    print(f"bench: {len(rows)} comparisons,",
          count("cases missed", missed))
    return 1 if missed or not rows else 0


if __name__ == "__main__":
    do = {"cases": do_cases, "compare": do_compare}[sys.argv[1]]
    sys.exit(do(pathlib.Path(sys.argv[2]), *sys.argv[3:]))
