#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Have spin look at every run of the models: none may break an assertion, stop
# before its end or go in circles, and all of each model must be reached. Then
# break the model in one way after the other, and demand that a run goes wrong.
# Run by "make model"; prints KTAP. Without spin there is nothing to do.

set -u
cd "$(dirname "$0")" || exit 2
work=${1:?usage: check.sh DIRECTORY}
models=(interval exchange removal range release)
nr=0
failed=0

# mutant MODEL NAME WHAT: with MUTANT_NAME a run of the model must go wrong
macros=()
mutants=()
mutant()
{
	macros+=("$1 MUTANT_$2")
	mutants+=("$3")
}

# Callbacks, and who is called
mutant interval CURSOR_NOT_MOVED "who takes out what is called next does not say so"
mutant range CURSOR_NOT_MOVED "who takes out what is marked next does not say so"
mutant exchange INSERTED_LATER_IS_CALLED "what was inserted after the start is called"
mutant exchange REMOVED_LATER_IS_NOT_CALLED "what was removed after the start is not called"
mutant interval REMOVED_BEFORE_IS_CALLED "what was removed before the start is called"
mutant interval UNWIND_FORGOTTEN "a start that fails is not taken back"
mutant range UNWIND_FORGOTTEN "a start that fails is not taken back, for a range"

# Removal
mutant interval REMOVED_AT_ONCE "what a start is about to call is taken out"
mutant exchange REMOVED_AT_ONCE "the same, for one that was exchanged"
mutant exchange CALLING_AFTER_MARKS "a start says that it makes calls when all is marked"
mutant interval REMOVAL_DRAWS_NO_NUMBER "a removal draws no number of its own"
mutant interval REMOVAL_DOES_NOT_WAIT "a removal does not wait for its own callback"
mutant interval RELEASED_BEFORE_THE_SECOND_PASS "what was called goes before its second pass"
mutant interval LAST_CALLER_RELEASES_NOTHING "the last caller does not end the removal"
mutant interval CALLERS_THAT_RELEASE_COUNTED "a removal counts those whose calls are over"
mutant interval LIMIT_FORGOTTEN "who was not counted counts down"
mutant exchange REMOVED_TWICE_MUST_BE_IN_TREE "the second removal comes after the erasure"
mutant interval LATER_START_DOES_NOT_WAIT "a later start does not wait for a removal"
mutant interval MUST_NOT_BLOCK_AND_WAITS "one that must not block waits for a removal"
mutant interval CALLS_WAKE_NOBODY "the end of the calls wakes nobody"

# Numbers
mutant interval NUMBER_SHARED "those that overlap in time share a number"
mutant interval OLDER_NUMBER_COMES_LAST "an older number overwrites a younger one"
mutant interval NUMBER_IN_ANOTHER_HOLD "a number is taken in another hold of the lock"
mutant interval NUMBER_THAT_HAS_CHANGED "a number that has changed in the wait is taken"

# Waiting
mutant range WOKEN_BEFORE_UNLINK "a waiter is woken before the end is off the list"
mutant interval ENDS_AND_CALLS_MIXED "who waits for ends counts calls"
mutant removal YOUNGER_COUNTED "a waiter counts what is younger"
mutant removal WAITS_FOR_ALL_CALLS_DURING_ITS_OWN "two starts wait for each other's calls"

# Marks, and walks
mutant range CALLS_BEFORE_MARKS "callbacks run before all is marked"
mutant range START_LEAVES_VALID "a start leaves the range valid"
mutant range POSITION_COMPARED "a start notes what is stored, not what is claimed"
mutant range KEPT_ABOVE_IS_NOT_NOTED "a start does not note what is kept above"
mutant range CLAIM_AFTER_FAULT_FORGOTTEN "a walk claims nothing after a fault"

# The end of the mm
mutant release RELEASE_MARKS_LAST "callbacks of the release run before its marks"
mutant release DYING_AFTER_WAKE "the mm is dying after those who wait were woken"
mutant release DEATH_WAKES_NOBODY "the death of the mm wakes nobody"
mutant release DYING_FORGOTTEN "the death of the mm is forgotten"

# search MODEL CFLAGS OPTION [MACRO]: what spin's verifier says
search()
{
	rm -rf "$work" && mkdir -p "$work" || return
	# shellcheck disable=SC2086 # lists of words
	(model=$PWD/$1.pml && cd "$work" && spin ${4:+-D$4} -a "$model" &&
		gcc -w -DMEMLIM=4000 $2 pan.c &&
		./a.out -m100000 $3) >"$work.log" 2>&1
}

said() { grep -Eq "$1" "$work.log"; }

wrong() { said '^pan:1: (assertion violated|invalid end state)'; }

complete() { said ', errors: 0$' && ! said 'not completed|too small|out of memory'; }

# Every proctype has a line "(n of m states)"
reached() { said '^unreached in' && ! grep '(.* of .* states)' "$work.log" | grep -qv '(0 of'; }

# result STATUS NAME
result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		sed 's/^/# /' "$work.log"
		echo "not ok $nr - $2"
		failed=$((failed + 1))
	fi
}

echo "KTAP version 1"
if ! command -v spin >/dev/null; then
	echo "1..0 # SKIP no spin"
	exit 0
fi
mkdir -p "$(dirname "$work")"
echo "1..$((3 * ${#models[@]} + ${#macros[@]}))"
for model in "${models[@]}"; do
	search "$model" "-Og -DSAFETY" "" && complete && reached
	result $? "$model: every run goes right, and all is reached"
	search "$model" "-Og -DSAFETY" "" FEW && complete && reached
	result $? "$model: the same when all that is hit is kept"
	search "$model" "-Og -DNP -DNOFAIR" "-l -w25" && complete
	result $? "$model: every run ends"
done
for ((n = 0; n < ${#macros[@]}; n++)); do
	read -r model macro <<<"${macros[n]}"
	search "$model" -DSAFETY "" "$macro" && wrong
	result $? "mutant: ${mutants[n]}"
done
rm -rf "$work"
echo "# $((nr - failed)) passed, $failed failed"
exit $((failed > 0))
