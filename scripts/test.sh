#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run suites of tests (suite.sh) and count what they report (results.py):
# test.sh [SUITE...], by default all of them, the quick ones first.

. "$(dirname "$0")/lib.sh"

suites=(harness lint kunit range-debug hmm-debug hmm-release mm-debug drivers configs detectors)
[ $# = 0 ] || suites=("$@")

dir=$out/log/test
results=$dir/results

count() { grep -c "^$1" "$2" || :; }

tally()
{
	local skipped

	skipped=$(count skip "$1")
	printf '%s passed, %s failed' "$(count pass "$1")" "$(count fail "$1")"
	[ "$skipped" = 0 ] || printf ', %s skipped' "$skipped"
	echo
}

run_suite()
{
	local status=0 start=$SECONDS found=$dir/$suite.results

	say "== $suite"
	"$root/scripts/suite.sh" "$suite" 2>&1 | tee "$dir/$suite.log" || status=$?
	if ! "$root/scripts/results.py" "$suite" "$dir/$suite.ktap" "$status" >"$found"; then
		printf 'fail\t%s\t%s\t%s\n' "$suite" "(no report)" "$dir/$suite.log" >"$found"
	fi
	cat "$found" >>"$results"
	awk -F '\t' '/^fail/ { print "FAILED " $3 }' "$found"
	say "== $suite: $(tally "$found") in $((SECONDS - start)) s"
}

report()
{
	if grep -q ^fail "$results"; then
		say "Failed:"
		awk -F '\t' '/^fail/ { printf "  %s: %s\n    %s\n", $2, $3, $4 }' "$results"
	fi
	if grep -q ^expected "$results"; then
		say "Failed as they do on the base, and not counted below:"
		awk -F '\t' '/^expected/ { printf "  %s: %s\n", $2, $3 }' "$results"
	fi
	tally "$results"
}

mkdir -p "$dir"
rm -f "$dir"/*
: >"$results"
for suite in "${suites[@]}"; do
	run_suite
done
report
! grep -q ^fail "$results"
