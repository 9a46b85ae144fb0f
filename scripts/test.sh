#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run suites of tests (suite.sh), two at a time, and count what they report
# (results.py): test.sh [SUITE...], by default all but the long ones, and those
# that have passed and whose inputs (inputs.sh) are the same as then.  What takes
# longest comes first, after the kernel's own tests of HMM, each of which has a
# limit in time: beside them there is only what takes the time that they leave.
#
#	test.sh --all		the long ones, too
#	test.sh --one SUITE	a suite of a run
#	test.sh --watch SUITE...	what says now and then how far they are
# are processes of their own that die with it.

. "$(dirname "$0")/lib.sh"

suites=(self lint hmm-release hmm-debug drivers configs arches detectors mm-debug own-debug stress-debug mm-release rdma kunit stress-release dma model harness)
long=(arm64-64k arm64-4k release-kunit release-own trace rdma-long mm-release-long mm-debug-long)	# a kernel of their own, or ten minutes
passed=$out/passed		# SUITE: the digests of its inputs when it passed last

# STOCK=1: on the kernels without the series, for baseline.sh
tree=patched
[ "${STOCK:-0}" = 0 ] || tree=tests

dir=$out/log/test
declare -A sources built	# what inputs.sh said of each suite

# Another run would take its trees, and its results, from under this one.
lock()
{
	exec 9>>"$out/test.lock"
	flock -n 9 || die "another make test is running with $out, process $(cat "$out/test.lock"): wait until it has ended, or give this one a directory of its own with OUT="
	echo $$ >"$out/test.lock"
}

digest() { "$root/scripts/inputs.sh" "$@"; }

# Take each file's digest before it is copied: one that is edited later was not tested.
prepare()
{
	local suite

	"$root/scripts/deps.sh"
	"$root/scripts/fetch.sh"
	[ -e "$out/build/debug/vmlinux" ] || need_space 3000 "a run of all tests"
	for suite in "${suites[@]}"; do
		sources[$suite]=$(digest "$suite")
	done
	"$root/scripts/tree.sh" patched
	"$root/scripts/tree.sh" tests
}

# Leave in $suites those that have to run.
drop_unchanged()
{
	local suite all=("${suites[@]}")

	suites=()
	for suite in "${all[@]}"; do
		if [ -n "${sources[$suite]}" ] && [ -e "$passed/$suite" ] &&
		   [ "${sources[$suite]} $(digest --built "$suite")" = "$(cat "$passed/$suite")" ]; then
			say "$suite: not run and not counted; it passed, and what it depends on is unchanged since (SUITES=$suite runs it)"
		else
			suites+=("$suite")
		fi
	done
}

# ours SCRIPT ARGUMENT...: it ends when we do, with all the processes that it has started
ours() { "$root/scripts/leash.sh" TERM $$ timeout 0 "$root/scripts/$1" "${@:2}"; }

# Everything that the suites boot, built beforehand with both CPUs
build()
{
	local needs what name programs=()

	needs=$(for name in "${suites[@]}"; do "$root/scripts/suite.sh" --needs "$name"; done | sort -u)
	# shellcheck disable=SC2046 # a list of words
	"$root/scripts/deps.sh" $(awk '$1 ~ /^(arch|tools)$/ { print $2 }' <<<"$needs") </dev/null
	while read -r what name; do
		case $what in
		kernel)
			say "Building $name"
			ours kernel.sh "$name" </dev/null ;;
		program)
			programs+=("$name") ;;
		esac
	done <<<"$needs"
	[ ${#programs[@]} = 0 ] || ours selftests.sh "$tree" "${programs[@]}"
	for name in "${suites[@]}"; do
		built[$name]=$(digest --built "$name")
	done
}

# count KIND < results
count() { awk -F '\t' -v kind="$1" '$1 == kind { n++ } END { print n + 0 }'; }

# tally < results: what goes into the last line
tally()
{
	local all skipped

	all=$(cat)
	skipped=$(count skip <<<"$all")
	printf '%s passed, %s failed' "$(count pass <<<"$all")" "$(count fail <<<"$all")"
	[ "$skipped" = 0 ] || printf ', %s skipped' "$skipped"
	echo
}

one_suite()
{
	local suite=$1 status=0 start=$SECONDS found=$dir/$1.results nice=0

	case $suite in
	lint | drivers | configs | arches | model)	nice=19 ;;	# no limit in time
	esac
	say "$suite: started"
	setpriv --pdeathsig TERM nice -n $nice "$root/scripts/suite.sh" "$suite" >"$dir/$suite.log" 2>&1 || status=$?
	if ! "$root/scripts/results.py" "$suite" "$dir/$suite.ktap" "$status" >"$found.new" 2>>"$dir/$suite.log"; then
		printf 'fail\t%s\t(no report)\t%s\n' "$suite" "$dir/$suite.log" >"$found.new"
	fi
	mv "$found.new" "$found"
	say "$suite: $(tally <"$found") in $((SECONDS - start)) s"
}

watch()
{
	local suite

	while sleep 30 >/dev/null 2>&1; do
		for suite; do
			if [ -e "$dir/$suite.log" ] && [ ! -e "$dir/$suite.results" ]; then
				say "... $suite: $(cat "$dir/$suite.ktap" "$dir/$suite.console" 2>/dev/null |
					grep -cE '^(\[.*\] )? *(not )?ok ') tests so far"
			fi
		done
	done
}

# begin ARGUMENT...: another instance of this script, which ends when this one does
begin() { exec setpriv --pdeathsig TERM "$root/scripts/test.sh" "$@" 9>&-; }

# at_most N: wait until no more processes than these run in the background
at_most()
{
	while [ "$(jobs -rp | wc -l)" -gt "$1" ]; do
		sleep 0.2
	done
}

run_all()
{
	local suite watcher

	begin --watch "${suites[@]}" &
	watcher=$!
	for suite in "${suites[@]}"; do
		at_most 2
		rm -f "$passed/$suite"
		begin --one "$suite" &
		[[ $suite != hmm-* ]] || wait $! || :
	done
	at_most 1
	kill "$watcher"
}

# Remember which suites need not run again, unless something changed while they ran.
record()
{
	local suite

	for suite in "${suites[@]}"; do
		if [ "$(digest "$suite")" != "${sources[$suite]}" ] || [ "$(digest --built "$suite")" != "${built[$suite]}" ]; then
			say "$suite: what it depends on was changed while the tests ran: it will be run again"
		elif [ -n "${sources[$suite]}" ] && [ -s "$dir/$suite.results" ] && [ "$tree" = patched ] &&
		     [ "$(count fail <"$dir/$suite.results")" = 0 ]; then
			echo "${sources[$suite]} ${built[$suite]}" >"$passed/$suite"
		fi
	done
}

# All results; a suite without any has failed.
results()
{
	local suite

	for suite in "${suites[@]}"; do
		if [ -s "$dir/$suite.results" ]; then
			cat "$dir/$suite.results"
		else
			printf 'fail\t%s\t(no result: it was killed, or somebody removed it)\n' "$suite"
		fi
	done
}

# why SUITE: what its report says right before the first failures, for who sees nothing but our output
why() { grep -B 8 -m 3 -E '^(\[.*\] )? *not ok ' "$dir/$1.ktap" 2>/dev/null | cut -c 1-200 | sed 's/^/      | /' || :; }

report()
{
	local all failed suite

	all=$(results)
	failed=$(count fail <<<"$all")
	if [ "$(count expected <<<"$all")" != 0 ]; then
		say "Failed as they do on the base, and not counted below:"
		awk -F '\t' '/^expected/ { printf "  %s: %s\n", $2, $3 }' <<<"$all"
	fi
	if [ "$failed" != 0 ]; then
		say "Failed:"
		awk -F '\t' -v dir="$dir" '/^fail/ { printf "  %s: %s\n      %s/%s.*\n", $2, $3, dir, $2 }' <<<"$all"
		awk -F '\t' '/^fail/ { print $2 }' <<<"$all" | sort -u | while read -r suite; do why "$suite"; done
		"$root/scripts/fetch.sh" --notice
	fi
	tally <<<"$all"
	[ "$failed" = 0 ]
}

mkdir -p "$dir" "$passed"
case ${1:-} in
--one)
	one_suite "$2"
	exit ;;
--watch)
	shift
	watch "$@"
	exit ;;
esac
if [ "${1:-}" = --all ]; then
	shift
	suites+=("${long[@]}")
fi
chosen=$#
[ $chosen = 0 ] || suites=("$@")
lock
rm -f "$dir"/*
prepare
[ $chosen != 0 ] || drop_unchanged
build
run_all
record
report
