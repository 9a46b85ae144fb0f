#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the base's own tests on the kernels without the series and compare what
# fails or is skipped there with configs/expected.  With a difference the new
# list lies in out/log/test/expected; what it says is to be judged by a human.

. "$(dirname "$0")/lib.sh"

suites="hmm-release hmm-debug mm-debug"
dir=$out/log/test
mkdir -p "$dir"

export STOCK=1
needs=$(for suite in $suites; do "$root/scripts/suite.sh" --needs "$suite"; done | sort -u)
for kernel in $(awk '$1 == "kernel" { print $2 }' <<<"$needs"); do
	say "Building $kernel"
	"$root/scripts/kernel.sh" "$kernel"
done
# shellcheck disable=SC2046 # a list of words
"$root/scripts/selftests.sh" tests $(awk '$1 == "program" { print $2 }' <<<"$needs")

for suite in $suites; do
	say "== $suite on the base"
	# A test that fails, or trouble in the log of the base, is no news here.
	"$root/scripts/suite.sh" "$suite" || :
done
{
	grep '^#' "$root/configs/expected"
	for suite in $suites; do
		"$root/scripts/results.py" --list "$suite" "$dir/$suite.ktap"
	done
} >"$dir/expected"
diff -u "$root/configs/expected" "$dir/expected" || die "configs/expected is not what the base does: see $dir/expected"
say "configs/expected is what the base does"
