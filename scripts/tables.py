#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Compare the tables of our documents with those of the tests:

    tables.py walk|gup|tests [ROOT]

walk: what a walk reports, in Documentation/mm/hmm.rst, with walk_rows of
mm/tests/hmm_walk_kunit.c, cell by cell; configs/walk-tables says which rows are
about the same.  gup: the functions, their errnos and the flags of their faults,
in Documentation/core-api/get_user_pages.rst, with mm/tests/gup_kunit.c, and that
it names all tests there.  tests: that each row of Documentation/mm/hmm_tests.rst
names tests, that there are such tests, and that it names each test of interval
notifiers and of ranges with callbacks.  Prints each difference, and fails if
there is one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What no test row can show by itself, and what follows from two rows
WALK_DOCUMENT_ONLY = {"any other"}
WALK_TESTS_ONLY = {"none, a fault makes it special"}

problems = []


def mapping():
    """Return {row of hmm.rst: the regular expression of its test rows}."""
    lines = (ROOT / "configs/walk-tables").read_text().splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def wrong(text):
    problems.append(text)


def list_tables(text):
    """Yield the cells of each row of the list-tables of a document, without markup."""
    rows = []
    cell = r"(.*(?:\n {5,}(?!- ).*)*)"
    for match in re.finditer(rf"^ +\* - {cell}((?:\n +- {cell[1:-1]})+)", text, re.M):
        cells = [match[1]] + re.split(r"\n +- ?", match[2])[1:]
        rows.append([re.sub(r"\s+", " ", c.replace("``", "")).strip() for c in cells])
    return rows


def simple_table(text, first):
    """The rows of the simple table whose head begins so; a row begins in its first column."""
    rule, head, body = re.search(rf"^(=+ +=[= ]*)\n({first}.*)\n\1\n(.*?)\n\1$", text, re.M | re.S).groups()
    edges = [m.start() for m in re.finditer(r"=+", rule)] + [None]
    rows = []
    for line in body.splitlines():
        cells = [line[a:b].strip() for a, b in zip(edges, edges[1:])]
        # The first column goes on as long as it ends with a comma, or the others are empty.
        if rows and (not cells[0] or rows[-1][0].endswith(",") or rows[-1][0].endswith("without")):
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells)]
        else:
            rows.append(cells)
    return [[cell.replace("``", "") for cell in row] for row in rows]


def walk_rows(source):
    """Return {name: ([three cells], waits for a migration)} of walk_rows."""
    table = re.search(r"walk_rows\[\] = \{\n(.*?)\n\};", source, re.S)[1]
    cell = r"NOTHING|ERROR|RO\(\w+\)|RW\(\w+\)|FAIL\([-\w]+\)"
    rows = {}
    for entry in re.split(r"\n\t\{ (?=\")", "\n" + re.sub(r"/\*.*?\*/", "", table, flags=re.S))[1:]:
        name, rest = re.match(r'"([^"]*)"(.*)', entry, re.S).groups()
        cells = re.findall(cell, rest)
        if "REFUSED" in rest:
            cells = ["ERROR", "FAIL(-EFAULT)", "FAIL(-EFAULT)"]
        if len(cells) != 3:
            wrong(f"walk_rows: {name}: not three cells")
        rows[name] = cells, "true" in rest.split("{")[0]
    return rows


def agrees(text, column, cells, waits):
    """Does a cell of the document allow what the test expects there?"""
    cell = cells[column]
    present = re.match(r"(RO|RW)\((?:WALK_)?(\w+)\)", cell)
    if waits != text.startswith("waits") and column:
        return False
    if text in ("0", "ERROR"):
        return cell == {"0": "NOTHING", "ERROR": "ERROR"}[text]
    if text.startswith("-E"):
        return cell == f"FAIL({text})"
    if text.startswith("by the entry"):
        return "pfn(n)R" not in text or not cell.startswith("RW")
    if text.startswith("pfn("):
        levels = re.findall(r"pfn\(([^)]*)\)", text)
        return bool(present) and ("R" not in re.findall(r"\)(R?)", text) or present[1] == "RO") and \
            (present[2] in levels or "n" in levels or "order of the page" in levels)
    if text == "ok":
        return cell == cells[0]
    if text in ("ok; faults if not writable", "as its PTE") or re.match(r"faults(, inv\.|: the copy|$)", text) and column == 2:
        return cell.startswith("RW")
    if text in ("faults", "faults, inv.", "waits, then faults", "as a present page"):
        return bool(present) and (column < 2 or present[1] == "RW")
    if text == "[#uffd]_":              # a fault, where nobody watches
        return cell == "FAIL(-EFAULT)" or cell.startswith("RW")
    if text == "faults, then -EFAULT":
        return cell == "FAIL(-EFAULT)"
    wrong(f"hmm.rst: what is '{text}'? scripts/tables.py does not know")
    return True


def check_walk(root):
    text = (root / "Documentation/mm/hmm.rst").read_text()
    section = text[text.index("\nWhat a walk reports\n"):text.index("\nRanges with an interval notifier\n")]
    document = {row[0]: row[1:] for row in list_tables(section) if row[1] != "snapshot"}
    tests = walk_rows((root / "mm/tests/hmm_walk_kunit.c").read_text())
    rows = mapping()
    for kind in document.keys() - rows.keys() - WALK_DOCUMENT_ONLY:
        wrong(f"hmm.rst: '{kind}' has no tests: name them in configs/walk-tables")
    for kind in (rows.keys() | WALK_DOCUMENT_ONLY) - document.keys():
        wrong(f"hmm.rst: the row '{kind}' is gone")
    seen = set(WALK_TESTS_ONLY)
    for kind, regex in rows.items():
        names = [name for name in tests if re.fullmatch(regex, name)]
        if not names:
            wrong(f"hmm.rst: '{kind}': no row of walk_rows")
        seen.update(names)
        for name in names:
            cells, waits = tests[name]
            for column, of in enumerate(document.get(kind, [])):
                if not agrees(of, column, cells, waits):
                    wrong(f"hmm.rst: '{kind}': {('snapshot', 'read', 'write')[column]} is '{of}', "
                          f"but walk_rows has {cells[column]} for '{name}'")
    for name in tests.keys() - seen:
        wrong(f"walk_rows: '{name}' is in no row of hmm.rst: add it there, or in configs/walk-tables")
    for name in WALK_TESTS_ONLY - tests.keys():
        wrong(f"walk_rows: '{name}' is gone")


def check_functions(text, source):
    """The functions of the table of locks, as far as the tests call them"""
    table, last = {}, []
    for what, entry, back in simple_table(text, "function"):
        names = re.findall(r"(\w+)\(\)", what) or last
        last = names
        for name in names:
            table[name + ("_locked" if what.startswith("the same") else "")] = entry, back
    for name, rest in re.findall(r'\{ "(\w+)"(.*?) \}', re.search(r"entries\[\] = \{(.*?)\};", source, re.S)[1], re.S):
        entry, back = table.get(name, ("", ""))
        want = "says" if ".locked" in rest else "held all" if ".lock " in rest else "not held"
        if not back.replace("*locked ", "").startswith(want) or (".lock" in rest) != entry.startswith("held"):
            wrong(f"get_user_pages.rst: {name}: '{entry}', '{back}', but gup_kunit.c has '{rest.strip(' ,')}'")


def check_flags(text, source):
    """The flags of a fault, by what the caller allows"""
    short = {"ALLOW_RETRY": "RETRY", "KILLABLE": "KILL", "INTERRUPTIBLE": "INT", "RETRY_NOWAIT": "NOWAIT"}
    table = {}
    for allowed, flags in simple_table(text, "the caller allows"):
        plain, _, extra = flags.partition("with FOLL_INTERRUPTIBLE")
        table[allowed.split(",")[0]] = [{short[f] for f in re.findall(r"FAULT_FLAG_(\w+)", part)} for part in (plain, extra)]
    source = re.search(r"fault_flags_table\[\] = \{(.*?)\};", source, re.S)[1]
    rows = re.findall(r"\{ (\w+),\s+([^,]+),\s+([^,]+),\s+[^}]+\}", source)
    if len(rows) != source.count("{"):
        wrong("fault_flags_table: scripts/tables.py does not understand each row")
    used = set()
    for entry, foll, first in rows:
        kind = "FOLL_NOWAIT" if "NOWAIT" in foll else "FOLL_UNLOCKABLE" if "LOCKED" in entry else "neither"
        used.add(kind)
        plain, extra = table.get(kind, (set(), set()))
        want = plain | (extra if "INTERRUPTIBLE" in foll else set())
        if set(re.findall(r"\w+", first)) - {"REMOTE", "0"} != want:
            wrong(f"get_user_pages.rst: '{kind}' has {sorted(want)}, but fault_flags_table {first} for {entry}, {foll}")
    for kind in table.keys() - used:
        wrong(f"get_user_pages.rst: '{kind}': no row of fault_flags_table")


def check_gup(root):
    text = (root / "Documentation/core-api/get_user_pages.rst").read_text()
    source = (root / "mm/tests/gup_kunit.c").read_text()
    check_functions(text, source)
    check_flags(text, source)
    errnos = {row[0] for row in simple_table(text, "errno")}
    partials = re.search(r"partials\[\] = \{(.*?)\};", source, re.S)[1]
    for errno in set(re.findall(r"-E[A-Z]+", partials)) - errnos:
        wrong(f"get_user_pages.rst: {errno} of the table partials is not in the table of errnos")
    for test in re.findall(r"KUNIT_CASE\w*\((\w+)", source):
        if not re.search(rf"\b{test}\b", text[text.index("\nTests\n"):]):
            wrong(f"get_user_pages.rst: the test {test} is not in it")


def check_tests(root):
    text = (root / "Documentation/mm/hmm_tests.rst").read_text()
    section = text[text.rindex("\nProperties\n"):text.rindex("\nRules of GUP\n")]
    tests = set()
    for directory in ("mm/tests", "tools/testing"):
        for path in (root / directory).rglob("*.c"):
            tests.update(re.findall(r"\b(?:KUNIT_CASE\w*\(|TEST\(|TEST_F\w*\(\w+,\s*)(\w+)", path.read_text()))
    for edit, *cells in list_tables(section):
        if edit in ("edit", "property"):
            continue
        named = re.findall(r"(?<!same )\b[a-z]\w*_\w+\b", " ".join(cells))
        if not named and "the same" not in " ".join(cells):
            wrong(f"hmm_tests.rst: '{edit}' names no test")
        for name in named:
            if name not in tests:
                wrong(f"hmm_tests.rst: '{edit}': there is no test {name}")
    for kind, number in re.findall(r"^([OT])(\d+)$", text, re.M):
        if not any(test.startswith(f"{kind.lower()}{number}_") for test in tests):
            wrong(f"hmm_tests.rst: no test of {kind}{number}")
    for test in tests:
        if re.match(r"o\d+_|t16_", test) and not re.search(rf"\b{test}\b", section):
            wrong(f"hmm_tests.rst: the test {test} is not in it")


def main(what, root=ROOT):
    {"walk": check_walk, "gup": check_gup, "tests": check_tests}[what](pathlib.Path(root))
    for problem in problems:
        print(problem)
    sys.exit(bool(problems))


main(*sys.argv[1:])
