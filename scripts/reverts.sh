#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# See that no patch can go unmissed: for each patch whose message names tests
# of gup_kunit ("Tests: ..."), or for those given, build debug without it, run
# the KUnit suites of GUP, and check that each of these tests fails.
#	reverts.sh [NNNN...]
# KTAP on standard output; the logs are out/log/reverts/NNNN.*.  At the end
# out/patched is whole again, out/build/debug is not until it is built.

. "$(dirname "$0")/lib.sh"
work=$(scratch)
. "$(dirname "$0")/ktap.sh"
. "$(dirname "$0")/kunit.sh"

restore()
{
	rm -rf "$work"
	env -u WITHOUT "$root/scripts/tree.sh" patched
}
trap restore EXIT

# named PATCH: the tests of gup_kunit that its message says need it
named()
{
	awk '/^Tests: / { on = 1; sub(/^Tests: /, "") }
	     /^(---)?$/ { on = 0 }
	     on { text = text " " $0 }
	     END { sub(/ of gup_kunit.*/, "", text) || text = ""; gsub(/,| and /, " ", text); print text }' "$1"
}

# boot GLOB LOG: run these tests, and add what fails to $work/failed
boot()
{
	note "reverts: booting for $1"
	TIMEOUT=400 kunit_boot debug "reverts/$2" "$1" || :
	kunit_failed "reverts/$2" "$1" >>"$work/failed"
}

fatal() { sed '1,/gup_fatal_test_cases/d' "$root/mm/tests/gup_kunit.c" | grep -q "KUNIT_CASE.*($1[,)]"; }

# run NNNN TEST...: leave what failed without that patch in $work/failed.  A
# test of gup_fatal takes the kernel with it, and gets a boot of its own.
run()
{
	local number=$1 test

	shift
	note "reverts: building debug without $number"
	WITHOUT=$number "$root/scripts/tree.sh" patched
	"$root/scripts/kernel.sh" debug >&2
	: >"$work/failed"
	: >"$work/said"
	mkdir -p "$out/log/reverts"
	boot 'gup.*' "$number"
	for test; do
		! fatal "$test" || boot "gup_fatal.$test" "$number-$test"
	done
}

# missed TEST...: fails if one of these tests passed
missed()
{
	local test status=0

	for test; do
		grep -q "/$test\( \|/\|$\)" "$work/failed" || { echo "$test passed without it"; status=1; }
	done
	return $status
}

check()
{
	local status=0 tests

	read -ra tests <<<"$(named "$2")"
	[ ${#tests[@]} -gt 0 ] || die "$2 names no test of gup_kunit"
	run "$1" "${tests[@]}" </dev/null
	note "reverts: without $1: $(paste -sd ' ' "$work/failed")"
	missed "${tests[@]}" >"$work/missed" || { cat "$work/failed" "$work/said" >>"$work/missed"; status=1; }
	ktap_result "$(basename "$2" .patch): ${tests[*]}" $status "$work/missed"
}

if [ $# = 0 ]; then
	mapfile -t patches < <(grep -l '^Tests: .*' "$root"/patches/*.patch)
else
	patches=("${@/#/$root/patches/}")
	# shellcheck disable=SC2206 # NNNN stands for the one file that begins with it
	patches=(${patches[@]/%/-*.patch})
fi
for patch in "${patches[@]}"; do
	number=$(basename "$patch")
	check "${number%%-*}" "$patch"
done
ktap_end
