#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run suites of tests (suite.sh), two at a time, and count what they report
# (results.py): test.sh [SUITE...], by default all of them but those that have
# passed and whose inputs (inputs.sh) are the same as then.  The longest come
# first, after the kernel's own tests of HMM, each of which has a limit in time:
# beside them there is only what takes the time that they leave.

. "$(dirname "$0")/lib.sh"

suites=(lint hmm-release hmm-debug mm-debug drivers configs arches detectors arm64-64k own-debug arm64-4k kunit dma harness)
passed=$out/passed		# SUITE: the digest of its inputs when it passed last

# STOCK=1: on the kernels without the series, for baseline.sh
tree=patched
[ "${STOCK:-0}" = 0 ] || tree=tests

dir=$out/log/test

# Leave in $suites those that have to run.
drop_unchanged()
{
	local suite inputs all=("${suites[@]}")

	suites=()
	for suite in "${all[@]}"; do
		inputs=$("$root/scripts/inputs.sh" "$suite")
		if [ -n "$inputs" ] && [ "$inputs" = "$(cat "$passed/$suite" 2>/dev/null)" ]; then
			say "$suite: not run and not counted; it passed, and what it depends on is unchanged since (SUITES=$suite runs it)"
		else
			suites+=("$suite")
		fi
	done
}

# Everything that the suites boot, built beforehand with both CPUs
build()
{
	local needs what name programs=()

	needs=$(for name in "${suites[@]}"; do "$root/scripts/suite.sh" --needs "$name"; done | sort -u)
	# shellcheck disable=SC2046 # a list of words
	"$root/scripts/deps.sh" $(awk '$1 == "arch" { print $2 }' <<<"$needs") </dev/null
	while read -r what name; do
		case $what in
		kernel)
			say "Building $name"
			"$root/scripts/kernel.sh" "$name" </dev/null ;;
		program)
			programs+=("$name") ;;
		esac
	done <<<"$needs"
	"$root/scripts/selftests.sh" "$tree" "${programs[@]}"
}

count() { cat "${@:2}" | grep -c "^$1" || :; }

# tally FILE...: what goes into the last line
tally()
{
	local skipped

	skipped=$(count skip "$@")
	printf '%s passed, %s failed' "$(count pass "$@")" "$(count fail "$@")"
	[ "$skipped" = 0 ] || printf ', %s skipped' "$skipped"
	echo
}

run_suite()
{
	local suite=$1 status=0 start=$SECONDS found=$dir/$1.results inputs nice=0

	case $suite in
	lint | drivers | configs | arches)	nice=19 ;;	# no limit in time
	esac
	inputs=$("$root/scripts/inputs.sh" "$suite")
	rm -f "$passed/$suite"
	nice -n $nice "$root/scripts/suite.sh" "$suite" >"$dir/$suite.log" 2>&1 || status=$?
	if ! "$root/scripts/results.py" "$suite" "$dir/$suite.ktap" "$status" >"$found.new" 2>>"$dir/$suite.log"; then
		printf 'fail\t%s\t(no report)\t%s\n' "$suite" "$dir/$suite.log" >"$found.new"
	fi
	mv "$found.new" "$found"
	if [ "$(count fail "$found")" = 0 ] && [ "$tree" = patched ]; then
		echo "$inputs" >"$passed/$suite"
	fi
	say "$suite: $(tally "$found") in $((SECONDS - start)) s"
}

# Say now and then what is running and how far it is.
watch()
{
	local suite

	while sleep 30 >/dev/null; do
		for suite in "${suites[@]}"; do
			if [ -e "$dir/$suite.log" ] && [ ! -e "$dir/$suite.results" ]; then
				say "... $suite: $(cat "$dir/$suite.ktap" "$dir/$suite.console" 2>/dev/null |
					grep -cE '^(\[.*\] )? *(not )?ok ') tests so far"
			fi
		done
	done
}

run_all()
{
	local suite watcher running=0

	watch &
	watcher=$!
	for suite in "${suites[@]}"; do
		if [ "$running" = 2 ]; then
			wait -n
			running=1
		fi
		say "$suite: started"
		if [[ $suite == hmm-* ]]; then
			run_suite "$suite"
			continue
		fi
		run_suite "$suite" &
		running=$((running + 1))
	done
	while [ "$running" -gt 0 ]; do
		wait -n
		running=$((running - 1))
	done
	kill "$watcher"
}

report()
{
	local results=("${suites[@]/#/$dir/}")

	results=("${results[@]/%/.results}")
	if [ "$(count expected "${results[@]}")" != 0 ]; then
		say "Failed as they do on the base, and not counted below:"
		awk -F '\t' '/^expected/ { printf "  %s: %s\n", $2, $3 }' "${results[@]}"
	fi
	if [ "$(count fail "${results[@]}")" != 0 ]; then
		say "Failed:"
		awk -F '\t' -v dir="$dir" '/^fail/ { printf "  %s: %s\n      %s/%s.*\n", $2, $3, dir, $2 }' "${results[@]}"
	fi
	tally "${results[@]}"
	[ "$(count fail "${results[@]}")" = 0 ]
}

mkdir -p "$dir" "$passed"
rm -f "$dir"/*
if [ $# = 0 ]; then
	drop_unchanged
else
	suites=("$@")
fi
build
run_all
report
