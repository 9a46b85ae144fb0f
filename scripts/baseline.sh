#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the base's own tests on the kernels without the series and compare what
# fails or is skipped there with configs/expected.  With a difference the new
# list lies in out/log/test/expected; what it says is to be judged by a human.

. "$(dirname "$0")/lib.sh"

suites=(mm-debug hmm-debug hmm-release)
dir=$out/log/test

# A test that fails, or trouble in the log of the base, is no news here.
STOCK=1 "$root/scripts/test.sh" "${suites[@]}" || :
{
	grep '^#' "$root/configs/expected"
	for suite in "${suites[@]}"; do
		"$root/scripts/results.py" --list "$suite" "$dir/$suite.ktap"
	done
} >"$dir/expected"
diff -u "$root/configs/expected" "$dir/expected" || die "configs/expected is not what the base does: see $dir/expected"
say "configs/expected is what the base does"
