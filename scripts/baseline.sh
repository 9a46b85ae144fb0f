#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the base's own tests, and those of ours that run there, on the kernels
# without the series, and compare what fails or is skipped with
# configs/expected, but for the lines of arm64- and release-.  With a difference
# the new list lies in out/log/test/expected; what it says is to be judged by a
# human.

. "$(dirname "$0")/lib.sh"

dir=$out/log/test
suites=(mm-debug mm-debug-long mm-release mm-release-long hmm-debug hmm-release own-debug rdma rdma-long kunit)

# The tests that kill the base, each in a suite of its own: see suite.sh.
mapfile -t fatal < <(sed '1,/gup_fatal_test_cases/d' "$root/mm/tests/gup_kunit.c" |
	sed -n 's/.*KUNIT_CASE[A-Z_]*(\([a-z_]*\).*/kunit-\1/p')

# A test that fails, or trouble in the log of the base, is no news here.
STOCK=1 "$root/scripts/test.sh" "${suites[@]}" "${fatal[@]}" || :
{
	grep -e '^#' -e '^arm64-' -e '^release-' "$root/configs/expected"
	for suite in "${suites[@]}"; do
		"$root/scripts/results.py" --list "$suite" "$dir/$suite.ktap"
	done
	for suite in "${fatal[@]}"; do
		"$root/scripts/results.py" --list kunit "$dir/$suite.ktap" |
			sed "s|gup_fatal/.*|gup_fatal/${suite#kunit-}|" | sort -u
	done
} >"$dir/expected"
diff -u "$root/configs/expected" "$dir/expected" || die "configs/expected is not what the base does: see $dir/expected"
say "configs/expected is what the base does"
