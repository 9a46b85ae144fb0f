# shellcheck shell=bash disable=SC2154 # work is the caller's
# SPDX-License-Identifier: GPL-2.0
#
# Results as KTAP, for tests that run on this machine.  Sourced, not run.  $work is a scratch directory.

ktap_tests=0
ktap_failed=0

# ktap_result NAME STATUS [LOG]: note one test; the LOG of a failed one goes before it as diagnostics
ktap_result()
{
	ktap_tests=$((ktap_tests + 1))
	{
		if [ "$2" = 0 ]; then
			echo "ok $ktap_tests - $1"
		else
			[ ! -s "${3:-}" ] || sed 's/^/# /' "$3"
			echo "not ok $ktap_tests - $1"
		fi
	} >> "$work/ktap"
	[ "$2" = 0 ] || ktap_failed=$((ktap_failed + 1))
}

# Print all of it; fails if a test did, or if there was none.
ktap_end()
{
	echo "KTAP version 1"
	echo "1..$ktap_tests"
	cat "$work/ktap"
	echo "# $((ktap_tests - ktap_failed)) passed, $ktap_failed failed"
	[ $ktap_tests != 0 ] && [ $ktap_failed = 0 ]
}
