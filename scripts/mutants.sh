#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Break the code in one known way after the other, and demand that the KUnit test named beside it fails: in a kernel of
# its own, out/build/mutants, that is built and booted for each.  tools/testing/hmm/mutate.sh is the quicker way for the
# files that user space can run.
#	mutants.sh [REGEX of names]
# scripts/mutants/*.sh has the list.  First all tests that it names have to pass on the code as it is.  Then each edit
# must fit its file and compile, and its test, which runs alone, must fail; or the guest dies, hangs, or has something
# to report.  KTAP on standard output; the logs are out/log/mutants/N.*.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ktap.sh"
. "$(dirname "$0")/kunit.sh"

wanted=${1:-.}
tree=$out/mutants
work=$(scratch)
broken=""			# the file of the tree that is not as it was

# A hang costs this much: seconds without a word, or in all.
export SILENCE=45 TIMEOUT=400

sources=()
names=()
tests=()
edits=()

# mutant FILE NAME TEST EXPRESSION: what sed's EXPRESSION does to FILE must fail TEST, a suite and its test.
mutant()
{
	[[ $2 =~ $wanted ]] || return 0
	sources+=("$1")
	names+=("$2")
	tests+=("$3")
	edits+=("$4")
}

# put FROM FILE: give FILE of the tree this content, by rename, as all that is not edited is one with the base.  Its time
# is new even if it is put back, or kbuild would keep what was built of the mutant.
put()
{
	cp "$1" "$tree/$2.new"
	mv -f "$tree/$2.new" "$tree/$2"
}

restore()
{
	[ -z "$broken" ] || put "$work/good" "$broken"
	broken=""
}

leave()
{
	restore
	rm -rf "$work"
}

build() { "$root/scripts/kernel.sh" mutants >"$work/build" 2>&1; }

# check_test TEST: does it pass on the code as it is?  $work/results says so of all.
check_test()
{
	local name=${1/.//} status=0

	awk -F '\t' -v name="$name" '
		$3 == name || index($3, name "/") == 1 || index($3, name " (") == 1 {
			if ($1 == "fail" && $3 !~ / \(skipped, and/) { print $3; bad = 1 }
			passed += $1 == "pass"
		}
		END { if (!passed) print name ": nothing of it passes"; exit bad || !passed }' \
		"$work/results" >"$work/log" || status=1
	ktap_result "the code as it is: $1" $status "$work/log"
}

# All that is named, in one boot
check_unbroken()
{
	local status=0

	note "mutants: the code as it is"
	build || { cat "$work/build" >&2; die "the code as it is does not build"; }
	mapfile -t suites < <(printf '%s\n' "${tests[@]%%.*}" | sort -u)
	: >"$work/said"
	SILENCE=0 TIMEOUT=7200 kunit_boot mutants mutants/0 '*' "${suites[@]}" || status=$?
	ktap_result "the code as it is: the guest ends as it should" $status "$work/said"
	kunit_results mutants/0 >"$work/results"
	while read -r test; do
		check_test "$test"
	done < <(printf '%s\n' "${tests[@]}" | sort -u)
}

# fails N TEST: does it?  $work/log says how.  A guest that died before its tests proves nothing.
fails()
{
	local status=0

	: >"$work/said"
	kunit_boot mutants "mutants/$1" "$2" || status=$?
	kunit_failed "mutants/$1" "$2" >"$work/failed"
	cat "$work/failed" "$work/said" >"$work/log"
	if ! grep -q "# planned: ${2%%.*}" "$out/log/mutants/$1.console"; then
		sed -i '1i the guest did not come to its tests' "$work/log"
		return 1
	fi
	[ -s "$work/failed" ] || [ "$status" -ge 124 ] || { echo "it passes" >"$work/log"; return 1; }
}

# try N: what becomes of mutant N, in $work/log too
try()
{
	local file=${sources[$1]}

	if ! grep -Fqx "$file" "$tree.files"; then
		echo "the series does not touch $file" >"$work/log"
		return 1
	fi
	cp "$tree/$file" "$work/good"
	sed -E "${edits[$1]}" "$work/good" >"$work/bad"
	if cmp -s "$work/good" "$work/bad"; then
		echo "the edit does not fit $file any more" >"$work/log"
		return 1
	fi
	broken=$file
	put "$work/bad" "$file"
	if ! build; then
		{ echo "it does not compile:"; cat "$work/build"; } >"$work/log"
		return 1
	fi
	fails "$1" "${tests[$1]}"
}

for list in "$root"/scripts/mutants/*.sh; do
	# shellcheck source=/dev/null
	. "$list"
done
[ ${#names[@]} -gt 0 ] || die "no name of a mutant matches '$wanted'"
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$out/log/mutants"
env -u WITHOUT "$root/scripts/tree.sh" mutants
check_unbroken
for i in "${!names[@]}"; do
	status=0
	try "$i" || status=1
	restore
	note "mutants: $((i + 1)) of ${#names[@]}: ${names[$i]}: ${tests[$i]}: $([ $status = 0 ] || echo "NOT CAUGHT: ")$(head -n 1 "$work/log")"
	ktap_result "${names[$i]}: ${tests[$i]}" $status "$work/log"
done
ktap_end
