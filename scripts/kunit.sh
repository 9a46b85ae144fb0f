# shellcheck shell=bash disable=SC2154 # root, out and work are the caller's
# SPDX-License-Identifier: GPL-2.0
#
# Some KUnit tests in a guest of their own, for scripts that break a kernel and want to know who notices.  Sourced, not
# run, after lib.sh.  $work is a scratch directory; what boot.sh says is added to $work/said.

# kunit_boot KERNEL LOG GLOB [SUITE...]: run the tests that match GLOB, of these suites or of all.  Returns the status
# of boot.sh: the guest ends soon if something in it hangs or oopses.
kunit_boot()
{
	local kernel=$1 log=$2 glob=$3

	shift 3
	KERNEL=$kernel LOG=$log FILES=$root/scripts/guest/kunit CMD="kunit $*" \
		APPEND="kunit.enable=1 kunit.autorun=0 kunit.filter_glob=$glob oops=panic sysctl.kernel.hung_task_panic=1" \
		"$root/scripts/boot.sh" >>"$work/said" 2>&1
}

# kunit_results LOG: verdict, suite, test and log of each test, as results.py says it.  No suite of configs/expected is
# meant: what fails is called so, and what is skipped fails.
kunit_results() { "$root/scripts/results.py" alone "$out/log/$1.console" 0; }

# kunit_failed LOG GLOB: the tests that failed, none of which was only skipped; what hung or died before it reported
# anything is called as GLOB says
kunit_failed()
{
	kunit_results "$1" | awk -F '\t' '$1 == "fail" && $3 !~ / \(skipped, and/ { print $3 }' | sed "s/(aborted)/${2#*.}/"
}
