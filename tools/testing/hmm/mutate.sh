#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Break a copy of mm/hmm_range.c in one known way after the other, and demand
# that the test named beside it fails. Run by "make mutants".

set -u
cd "$(dirname "$0")" || exit 2
work=${1:?usage: mutate.sh DIRECTORY}
source=../../../mm/hmm_range.c
nr=0
failed=0

# The names of the tests that fail when $1 stands for mm/hmm_range.c.
failing_tests()
{
	make --no-print-directory build OUTPUT="$work" HMM_RANGE="$1" \
		EXTRA_CFLAGS=-w \
		>"$work/log" 2>&1 || { echo "does-not-build"; return; }
	SEED=1 "$work/hmm-range-test" 2>>"$work/log" | sed -n 's/^not ok [0-9]* - //p'
}

# mutant NAME TEST EXPRESSION: what sed's EXPRESSION does must fail TEST.
mutant()
{
	local name=$1 test=$2 expression=$3 tests

	nr=$((nr + 1))
	sed -E "$expression" "$source" >"$work/mutant.c"
	if cmp -s "$source" "$work/mutant.c"; then
		echo "# the edit does not fit $source any more"
		tests=
	else
		tests=$(failing_tests "$work/mutant.c")
	fi
	if grep -Fxq "$test" <<<"$tests"; then
		echo "ok $nr - $name"
	else
		echo "not ok $nr - $name: $test did not fail"
		failed=$((failed + 1))
	fi
	echo "#	failing: ${tests//$'\n'/ }"
}

mkdir -p "$work"
echo "KTAP version 1"

mutant "an invalidation does not mark" t1_start_invalidates \
	'/^static noinline void hmm_ranges_mark/,/^}/s/hmm_range_mark\(range, start, end\)/;/'
mutant "the end of an invalidation makes valid again" t1_start_invalidates \
	'/^void hmm_ranges_invalidate_end/,/^}/s/^(\t__list_del_entry.*)/\1\
	{ struct interval_tree_node *n = interval_tree_iter_first(\&ranges->ranges, 0, ULONG_MAX);\
	if (n)\
		WRITE_ONCE(container_of(n, struct hmm_range, tracking.node)->tracking.state,\
			   HMM_RANGE_VALID); }/'
mutant "a walk is valid whatever came in between" t1_invalidation_during_a_walk \
	'/^int hmm_range_walk_end/,/^}/s/tracking->state != HMM_RANGE_WALKING/false/'
mutant "a walk may begin during an invalidation" t1_walk_is_refused_during_an_invalidation \
	'/^static int hmm_range_readable/,/^}/s/return -EBUSY/continue/'
mutant "every invalidation is waited for" t3_unrelated_invalidation_held_for_ever \
	'/^static int hmm_range_readable/,/^}/s/!hmm_range_ignores\(.*\)\)$/true)/
	 /^static bool hmm_range_overlaps/,/^}/s/invalidation->start <= [a-z>.-]+/true/
	 /^static bool hmm_range_overlaps/,/^}/s/invalidation->end > range[a-z>.-]+/true/'
mutant "every registration takes the locks" t3_only_the_first_takes_the_locks \
	'/^int hmm_range_register/,/^}/s/if \(!ranges\)/if (true)/'
mutant "the end of an invalidation is inclusive" t4_ends_are_exclusive \
	'/void hmm_ranges_(mark|invalidate_start)/,/^}/s/end - 1/end/'
mutant "an empty invalidation is looked up" t4_an_empty_invalidation_hits_nothing \
	's/if \(start >= end\)$/if (false)/'
mutant "the end of one in flight is inclusive" t4_ends_are_exclusive \
	's/(invalidation->end >)( range)/\1=\2/'
mutant "the end of a range is inclusive" t4_ends_are_exclusive \
	's/(tracking->node.last = range->end) - 1/\1/'
mutant "none is recorded while no range is registered" t6_recorded_while_no_range_is_registered \
	'/^void hmm_ranges_invalidate_start/,/^}/s/list_add\(/if (!ranges->ranges.rb_leftmost)\
		INIT_LIST_HEAD(\&invalidation->tracked);\
	else\
		list_add(/'
mutant "the end of an invalidation wakes nobody" t7_wait_ends_with_the_invalidation \
	'/^void hmm_ranges_invalidate_end/,/^}/s/hmm_ranges_wake.*/;/'
mutant "the death of the mm wakes nobody" t7_wait_ends_when_the_mm_dies \
	'/^void hmm_ranges_release/,/^}/s/wake_up_all.*/;/'
mutant "the death of the mm is not noted" t7_all_fails_once_the_mm_is_dying \
	's/ranges->dying = true/;/'
mutant "the death of the mm marks nothing" t10_exit_marks_all \
	'/^void hmm_ranges_release/,/^}/s/hmm_range_mark\(range, /(void)(/'
mutant "a retry walks everything" t8_retry_walks_the_chunks_that_were_hit \
	's/if \(hmm_range_is_retry\(range, fault\)\)/if (false)/'
mutant "the map of dirty chunks is not kept" t8_retry_walks_the_chunks_that_were_hit \
	'/^static void hmm_range_mark/,/^}/s/dirty \|= .*/dirty |= 0;/'
mutant "a new call is taken for a retry" t8_a_new_call_walks_everything \
	's/tracking->state != HMM_RANGE_VALID \&\& //'
mutant "other flags are taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.default_flags == range->default_flags/true/'
mutant "another owner is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.dev_private_owner == range->dev_private_owner/true/'
mutant "another array is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.hmm_pfns == range->hmm_pfns/true/'
mutant "other bounds are taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.start == range->start/true/'
mutant "a fault is taken for the retry of a snapshot" t8_only_the_same_call_is_a_retry \
	's/tracking->call.fault == fault/true/'
mutant "with a mask, too, only some is walked" t8_with_a_mask_everything_is_walked \
	's/!range->pfn_flags_mask/true/; s/range->pfn_flags_mask \? NULL : //'
mutant "begin does not end the call" t8_only_the_same_call_is_a_retry \
	'/^int hmm_range_begin/,/^}/s/range->tracking.call.hmm_pfns = NULL/;/'
mutant "a walk that fails forgets its chunks" t8_a_walk_that_fails_puts_its_chunks_back \
	's/tracking->dirty \|= todo/;/'
mutant "chunks are taken after the walk" t8_a_walk_that_fails_puts_its_chunks_back \
	's/^(\t+)tracking->dirty = 0;/\1;/
	 /^int hmm_range_walk_end/,/^}/s/tracking->dirty \|= todo/tracking->dirty = todo/'
mutant "own events are not ignored" t9_own_events_are_ignored_if_asked_for \
	'/^static bool hmm_range_ignores/,/^}/s/return \(/return false \&\& (/'
mutant "own events are ignored unasked" t9_own_events_are_ignored_if_asked_for \
	's/\(range->tracking.ignore_events \& BIT\(invalidation->event\)\)/true/'
mutant "no owner matches no owner" t9_no_owner_never_matches \
	's/^\t +invalidation->owner \&\&$//'
mutant "the owner is not latched" t9_latched_at_register \
	's/range->tracking.owner;/range->dev_private_owner;/'
mutant "register does not pin the mm" t12_register_pins_the_mm \
	's/^\tmmgrab\(mm\);/;/'
mutant "unregister does not let the mm go" t12_register_pins_the_mm \
	's/^\tmmdrop\(mm\);/(void)mm;/'

echo "1..$nr"
exit $((failed > 0))
