#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Break a copy of the tracker in one known way after the other, and demand that
# the test named beside it fails. Run by "make mutants".

set -u
cd "$(dirname "$0")" || exit 2
top=${1:?usage: mutate.sh DIRECTORY [REGEX of names]}
wanted=${2:-.}
mm=../../../mm
files="hmm_range.c hmm_claim.c hmm_dirty.c hmm_internal.h"
workers=$(nproc)

# The first is the code as it is, with all tests.
sources=("")
names=("the code as it is")
tests=("")
edits=("")

# mutant FILE NAME TEST EXPRESSION: what sed's EXPRESSION does to mm/FILE must
# fail TEST.
mutant()
{
	[[ $2 =~ $wanted ]] || return
	sources+=("$1")
	names+=("$2")
	tests+=("$3")
	edits+=("$4")
}

range() { mutant hmm_range.c "$@"; }
claim() { mutant hmm_claim.c "$@"; }
dirty() { mutant hmm_dirty.c "$@"; }
header() { mutant hmm_internal.h "$@"; }

# An invalidation starts.
range "a start leaves the range valid" t1_start_invalidates \
	'/^static void hmm_range_mark/,/^}/s/WRITE_ONCE\(tracking->valid, false\);/;/'
range "a start notes nothing" t8_told_what_was_hit_is_read \
	'/^static void hmm_range_mark/,/^}/s/hmm_range_note\(range, invalidation\);/;/'
range "a start is not counted" t14_hits_are_counted \
	'/^static void hmm_range_mark/,/^}/s/WRITE_ONCE\(tracking->seq, .*\);/;/'
range "a start looks at the registered bounds" t1_of_the_window_that_was_walked \
	'/^static void hmm_range_mark/,/^}/{
		s/!hmm_overlaps\(invalidation,/!hmm_overlaps(invalidation,\
			   range->tracking.node.start,\
			   range->tracking.node.last + 1) \&\&\
	    !hmm_overlaps(invalidation,/
	}'
header "a start drops the lock before it marks" t3_unregistered_at_each_moment \
	'/^hmm_ranges_invalidate_start/,/^}/{
		s/^\tif \(node\)/\tspin_unlock(\&ranges->lock);\
	spin_lock(\&ranges->lock);\
	if (node)/
	}'
range "a start beside the window makes invalid" t1_of_the_window_that_was_walked \
	'/^static void hmm_range_mark/,/^}/{
		s/^\tif \(hmm_range_asked_for/\tWRITE_ONCE(tracking->valid, false);\
&/
	}'
header "the end of an invalidation is inclusive" t4_ends_are_exclusive \
	'/^static inline bool hmm_overlaps/,/^}/s/(invalidation->end >) start/\1= start/'
header "the end of a range is inclusive" t4_ends_are_exclusive \
	'/^static inline bool hmm_overlaps/,/^}/s/(invalidation->start <) end/\1= end/'
header "an empty invalidation overlaps" t4_an_empty_invalidation_hits_nothing \
	's/invalidation->start < invalidation->end \&\&/true \&\&/'
header "none is recorded while no range is registered" t6_recorded_while_no_range_is_registered \
	'/^hmm_ranges_invalidate_start/,/^}/s/list_add\(/if (!ranges->ranges.rb_leftmost)\
		INIT_LIST_HEAD(\&invalidation->tracked);\
	else\
		list_add(/'
range "only the first range that is hit is marked" t4_the_whole_address_space \
	'/^void hmm_ranges_mark/,/^}/{
		s/for \(; node;/for (; node; node = NULL)\
		hmm_range_mark(container_of(node, struct hmm_range,\
					    tracking.node), invalidation);\
	for (; node;/
	}'
range "a hit beside the window is counted" t14_hits_are_counted \
	'/^static void hmm_range_mark/,/^}/s/^\tif \(hmm_range_asked_for/\ttracking->seq +=\
		!hmm_overlaps(invalidation, tracking->window.start,\
			      tracking->window.end);\
&/'
header "a start is in the list later than it marks" t1_nothing_becomes_valid_once_one_has_started \
	'/^hmm_ranges_invalidate_start/,/^}/{
		s/^\tlist_add\(.*/;/
		s/^(\tspin_unlock.*)/\1\
	spin_lock(\&ranges->lock);\
	list_add(\&invalidation->tracked, \&ranges->invalidations);\
	spin_unlock(\&ranges->lock);/
	}'
range "own faults are counted" t14_own_copies_are_not_counted \
	's/tracking->faulting != current/true/'
range "while one faults, the others are not counted" t14_own_copies_are_not_counted \
	's/tracking->faulting == current/tracking->faulting/'
range "what an own fault hits of what is stored is not noted" \
	t13_a_copy_disturbs_what_is_stored \
	's/invalidation->start >= tracking->unclaimed.start/true/'
range "what an own fault hits of what is kept above is not noted" \
	t13_a_copy_disturbs_what_is_stored \
	's/invalidation->end <= tracking->unclaimed.end/true/'
claim "who faults is not known" t14_own_copies_are_not_counted \
	's/tracking.faulting = current;/tracking.faulting = NULL;/'
claim "a walk that goes on faults still" t14_own_copies_are_not_counted \
	'/^static int hmm_walk_claim/,/^}/s/tracking->faulting = NULL;/;/'
claim "a walk that has ended faults still" t14_own_copies_are_not_counted \
	'/^static bool hmm_walk_again/,/^}/s/tracking->faulting = NULL;/;/'

# What is noted.
range "what is not claimed is noted too" t13_nothing_is_noted_of_what_is_not_claimed \
	'/^void hmm_range_note/,/^}/{
		s/min\(invalidation->end, tracking->unclaimed.start\)/invalidation->end/
	}'

range "what is kept above is not noted" t13_what_is_kept_is_zapped_during_a_fault \
	'/^void hmm_range_note/,/^}/{
		s/max\(invalidation->start, tracking->unclaimed.end\)/ULONG_MAX/
	}'
range "what is stored below is not noted" t13_what_is_kept_is_zapped_during_a_fault \
	'/^void hmm_range_note/,/^}/s/min\(invalidation->end, tracking->unclaimed.start\)/0/'

# Own invalidations.
range "own ones are not ignored" t9_own_events_are_ignored_if_asked_for \
	'/^static bool hmm_range_ignores/,/^}/s/return \(/return false \&\& (/'
range "own ones are ignored unasked" t9_own_events_are_ignored_if_asked_for \
	's/\(range->tracking.ignore_events \& BIT\(invalidation->event\)\)/true/'
range "no owner matches no owner" t9_no_owner_never_matches \
	's/^\t +invalidation->owner \&\&$//'
range "any owner matches" t9_own_events_are_ignored_if_asked_for \
	's/invalidation->owner == range->tracking.owner/true/'
range "the owner is not latched" t9_latched_at_register \
	's/range->tracking.owner;/range->dev_private_owner;/'
range "the events are not latched" t9_latched_at_register \
	's/range->tracking.ignore_events \&/range->ignore_events \&/'
range "a running walk ignores own ones" t9_a_running_walk_takes_own_ones_for_others \
	's/tracking->valid \&\& hmm_range_ignores/hmm_range_ignores/'
range "the end of an ignored one is not noted" t9_a_retry_reads_what_own_ones_hit \
	'/^void hmm_ranges_invalidate_end/,/^}/s/hmm_ranges_note_own\(ranges, invalidation\);/;/'
range "the end of an ignored one of one kind is noted" t9_a_retry_reads_what_own_ones_hit \
	'/^void hmm_ranges_invalidate_end/,/^}/{
		s/unlikely\(invalidation->owner\)/invalidation->event == MMU_NOTIFY_MIGRATE/
	}'
range "the end is noted later than it leaves the list" t9_noted_when_it_leaves_the_list \
	'/^void hmm_ranges_invalidate_end/,/^}/s/^(\t__list_del_entry.*)/\1\
	spin_unlock(\&ranges->lock);\
	spin_lock(\&ranges->lock);/'
range "the end is noted for the first range" t9_noted_for_each_range \
	'/^hmm_ranges_note_own/,/^}/s/^(\t)\}$/\1\1break;\
	}/'
range "the end of one at the first page is not noted" t9_noted_for_each_range \
	'/^hmm_ranges_note_own/,/^}/s/invalidation->end - 1\);/invalidation->end - 1 - PAGE_SIZE);/'
range "the end is noted for a valid range only" t9_own_one_around_a_foreign_one \
	'/^hmm_ranges_note_own/,/^}/{
		s/if \(hmm_range_ignores/if (range->tracking.valid \&\& hmm_range_ignores/
	}'
range "the end of a foreign one is noted" t8_the_end_of_a_foreign_one_is_not_noted \
	'/^hmm_ranges_note_own/,/^}/s/if \(hmm_range_ignores\(range, invalidation\)\)/if (true)/'
claim "an ignored one in flight is not noted" t9_own_one_around_a_foreign_one \
	'/^static void hmm_walk_go_on/,/^}/s/hmm_range_note\(.*/;/'

# An invalidation ends, and the mm dies.
range "an end makes the range valid again" t1_start_invalidates \
	'/^void hmm_ranges_invalidate_end/,/^}/s/^(\t__list_del_entry.*)/\1\
	{ struct interval_tree_node *n = interval_tree_iter_first(\&ranges->ranges, 0, ULONG_MAX);\
	if (n)\
		WRITE_ONCE(container_of(n, struct hmm_range,\
					tracking.node)->tracking.valid, true); }/'
range "an end stays in the list" t7_wait_ends_with_the_invalidation \
	's/__list_del_entry\(\&invalidation->tracked\)/;/'
range "an end wakes nobody" t7_wait_ends_with_the_invalidation \
	'/^void hmm_ranges_invalidate_end/,/^}/s/hmm_ranges_wake\(ranges\);/;/'
range "an end wakes before it is off the list" t7_woken_when_the_invalidation_is_off_the_list \
	'/^void hmm_ranges_invalidate_end/,/^}/{
		s/hmm_ranges_wake\(ranges\);/;/
		s/^\tspin_lock\(/\tif (waitqueue_active(\&ranges->wq))\
		hmm_ranges_wake(ranges);\
	spin_lock(/
	}'
range "the death of the mm wakes nobody" t7_wait_ends_when_the_mm_dies \
	'/^void hmm_ranges_release/,/^}/s/wake_up_all.*/;/'
range "the death of the mm is forgotten" t7_all_fails_once_the_mm_is_dying \
	's/WRITE_ONCE\(ranges->dying, true\)/;/'
range "the death of the mm is set after the unlock" t7_nothing_becomes_valid_when_the_mm_dies \
	'/^void hmm_ranges_release/,/^}/{
		s/WRITE_ONCE\(ranges->dying, true\)/;/
		s/^(\tspin_unlock.*)/\1\
	WRITE_ONCE(ranges->dying, true);/
	}'
range "the death of the mm leaves ranges valid" t10_exit_marks_all \
	'/^void hmm_ranges_release/,/^}/s/WRITE_ONCE\(range->tracking.valid, false\);/;/'
range "the death of the mm is not counted" t14_hits_are_counted \
	'/^void hmm_ranges_release/,/^}/s/WRITE_ONCE\(range->tracking.seq, .*\);/;/'

# Registering.
range "register keeps the validity" garbage_validity_at_register \
	'/^static void hmm_range_reset/,/^}/s/WRITE_ONCE\(tracking->valid, false\);/;/'
range "register keeps what was told" garbage_retry_at_register \
	'/^static void hmm_range_reset/,/^}/s/tracking->retry = false;/;/'
range "register keeps who faults" garbage_leaves_no_trace_at_register \
	'/^static void hmm_range_reset/,/^}/s/tracking->faulting = NULL;/;/'
range "register keeps the number of the notifier" garbage_in_all_of_the_range_at_register \
	'/^static void hmm_range_reset/,/^}/s/range->notifier_seq = 0;/;/'
range "register keeps the notifier" garbage_in_all_of_the_range_at_register \
	'/^static void hmm_range_reset/,/^}/s/range->notifier = NULL;/;/'
range "register keeps the bounds" garbage_in_all_of_the_range_at_register \
	'/^static void hmm_range_reset/,/^}/s/range->start = start;/;/'
range "register keeps the count of hits" garbage_leaves_no_trace_at_register \
	'/^static void hmm_range_reset/,/^}/s/WRITE_ONCE\(tracking->seq, 0\);/;/'
range "register keeps the window" garbage_window_at_register \
	'/^static void hmm_range_reset/,/^}/s/tracking->window = .*/;/'
range "register keeps the call" garbage_call_at_register \
	'/^static void hmm_range_reset/,/^}/{
		s/tracking->window = .*/;/
		s/tracking->call.hmm_pfns = NULL;/;/
	}'
claim "register keeps the notes, and a walk does" garbage_notes_at_register \
	'/^static void hmm_walk_new_call/,/^}/s/hmm_dirty_clear\(&tracking->dirty\);/;/'
range "begin keeps the notes" garbage_leaves_no_trace_at_register \
	'/^int hmm_range_begin/,/^}/s/hmm_dirty_clear\(&tracking->dirty\);/;/'
range "register keeps what was not claimed" garbage_leaves_no_trace_at_register \
	'/^static void hmm_range_reset/,/^}/s/tracking->unclaimed = .*/;/'
range "a failed register keeps the mm" garbage_mm_at_register \
	'/^static void hmm_range_disown/,/^}/s/range->tracking.mm = NULL;/;/'
range "a failed register keeps the ranges of the mm" garbage_mm_at_register \
	'/^static void hmm_range_disown/,/^}/s/range->tracking.ranges = NULL;/;/'
range "a failed register is not taken back" garbage_mm_at_register \
	'/^__hmm_range_register/,/^}/s/^\t\thmm_range_disown\(range\);/\t\t;/'
range "bounds may be misaligned" errno_of_bad_bounds \
	'/^static bool hmm_range_is_sound/,/^}/{
		s/!offset_in_page\(range->start \| range->end\)/true/
	}'
range "a range may be empty" errno_of_bad_bounds \
	'/^static bool hmm_range_is_sound/,/^}/{
		s/range->start < range->end/range->start <= range->end/
	}'
range "a range may wrap" errno_of_bad_bounds \
	'/^static bool hmm_range_is_sound/,/^}/{
		s/range->start < range->end/range->start != range->end/
	}'
range "a range may reach beyond the address space" errno_of_bad_bounds \
	'/^static bool hmm_range_is_sound/,/^}/s/range->end <= mm->task_size/true/'
range "a range may not reach the end of the address space" t4_the_whole_address_space \
	'/^static bool hmm_range_is_sound/,/^}/{
		s/range->end <= mm->task_size/range->end < mm->task_size/
	}'
range "unknown flags are accepted" errno_of_unknown_flags_and_events \
	's/!\(range->flags \& ~HMM_RANGE_SPARSE\)/true/'
range "any event may be ignored" errno_of_unknown_flags_and_events \
	's/!\(range->ignore_events \& ~events\)/true/'
range "the last page is not registered" t4_ends_are_exclusive \
	's/(tracking->node.last = range->end) - 1/\1 - 2 * PAGE_SIZE/'
claim "the flags are not latched" errno_of_a_mask_with_a_sparse_array \
	'/^static int hmm_walk_begin/,/^}/s/tracking->flags \&/range->flags \&/'
range "a dead mm is accepted" t7_all_fails_once_the_mm_is_dying \
	'/^hmm_range_insert/,/^}/s/!atomic_read\(\&mm->mm_users\)/false/'
range "register does not pin the mm" t12_register_pins_the_mm \
	's/^\tmmgrab\(mm\);/;/'
range "unregister does not let the mm go" t12_register_pins_the_mm \
	's/^\tmmdrop\(mm\);/(void)mm;/'
range "unregister leaves the range valid" errno_of_an_unregistered_range \
	'/^void hmm_range_unregister/,/^}/s/WRITE_ONCE\(range->tracking.valid, false\);/;/'
range "unregister takes out of the tree before it invalidates" \
	t1_an_invalidation_at_each_moment_of_unregister \
	'/^void hmm_range_unregister/,/^}/{
		s/^\tWRITE_ONCE\(range->tracking.valid, false\);//
		s/^(\tspin_unlock.*)/\1\
	WRITE_ONCE(range->tracking.valid, false);/
	}'
range "unregister keeps the mm" errno_of_an_unregistered_range \
	'/^static void hmm_range_disown/,/^}/s/range->tracking.mm = NULL;/;/'
range "unregister keeps the ranges of the mm" t12_register_pins_the_mm \
	'/^static void hmm_range_disown/,/^}/s/range->tracking.ranges = NULL;/;/'
range "every registration takes the locks" t3_only_the_first_takes_the_locks \
	'/^hmm_range_insert/,/^}/s/if \(unlikely\(!ranges\)\)/if (true)/'
range "racing registrations all take the locks" t3_racing_registrations_take_the_locks_once \
	'/^static int hmm_ranges_record_locked/,/^}/{
		s/if \(mmu_notifier_hmm_ranges\(mm\)\)/if (false)/
	}'
range "a failed register keeps the mmap lock" t12_a_failed_register_leaves_nothing \
	'/^static noinline int hmm_ranges_record/,/^}/{
		s/mmap_write_unlock\(mm\);/if (!ret)\
			&/
	}'
range "a failed register keeps the users of the mm" t12_a_failed_register_leaves_nothing \
	's/^\tmmput_async\(mm\);/\tif (!ret)\
		&/'
range "to fail to record is to succeed" t12_a_failed_register_leaves_nothing \
	'/^static noinline int hmm_ranges_record/,/^}/s/return ret;/return 0;/'
range "a mm that dies before the locks are taken is recorded" \
	t12_a_mm_that_dies_meanwhile_is_not_recorded \
	'/^static noinline int hmm_ranges_record/,/^}/{
		s/if \(!mmget_not_zero\(mm\)\)/mmget_not_zero(mm);\
	if (false)/
	}'

# Bounds, validity, waiting.
header "bounds may be narrowed to nothing" errno_of_changed_bounds \
	'/^static inline bool hmm_range_has_window/,/^}/s/range->start < range->end/true/'
header "bounds may be narrowed to a part of a page" errno_of_changed_bounds \
	'/^static inline bool hmm_range_has_window/,/^}/{
		s/!offset_in_page\(range->start \| range->end\)/true/
	}'
header "the start may be moved down" errno_of_changed_bounds \
	's/range->start >= node->start/true/'
header "the end may be moved up" errno_of_changed_bounds \
	's/range->end - 1 <= node->last/true/'
range "begin takes any bounds" errno_of_changed_bounds \
	'/^int hmm_range_begin/,/^}/s/ \|\| !hmm_range_has_window\(range\)//'
range "a wait takes any bounds" errno_of_changed_bounds \
	'/^int hmm_range_wait\(/,/^}/s/ \|\| !hmm_range_has_window\(range\)//'
claim "a walk takes any bounds" errno_of_changed_bounds \
	'/^static int hmm_walk_begin/,/^}/s/ \|\| !hmm_range_has_window\(range\)//'
claim "a walk takes no array" errno_of_changed_bounds \
	'/^static int hmm_walk_begin/,/^}/s/ \|\| !range->hmm_pfns//'
claim "a walk takes a mask with a sparse array" errno_of_a_mask_with_a_sparse_array \
	'/^static int hmm_walk_begin/,/^}/{
		s/range->pfn_flags_mask \&\& tracking->flags \& HMM_RANGE_SPARSE/false/
	}'
header "a range with a notifier is tracked" legacy_range_is_left_alone \
	's/range->notifier \? NULL : range->tracking.ranges/range->tracking.ranges/'
range "begin does not wait for what overlaps" t1_walk_fails_during_an_invalidation \
	'/^static int hmm_ranges_readable/,/^}/s/return -EBUSY/continue/'
range "every invalidation is waited for" t3_unrelated_invalidation_held_for_ever \
	'/^static int hmm_ranges_readable/,/^}/s/if \(hmm_overlaps.*/if (true)/'
range "begin does not look whether the mm dies" t7_all_fails_once_the_mm_is_dying \
	'/^static int hmm_ranges_readable/,/^}/s/if \(ranges->dying\)/if (false)/'
range "begin looks at the window of before" t3_waits_for_the_bounds_that_are_set \
	'/^int hmm_range_begin/,/^}/{
		s/(hmm_ranges_readable\(ranges,) range->start, range->end/\1\
				  tracking->window.start, tracking->window.end/
	}'
range "a wait looks at the window of before" t3_waits_for_the_bounds_that_are_set \
	'/^static int hmm_range_poll/,/^}/{
		s/(hmm_ranges_readable\(ranges,) range->start, range->end/\1\
				  range->tracking.window.start, range->tracking.window.end/
	}'
range "begin makes valid in any case" t1_walk_fails_during_an_invalidation \
	's/WRITE_ONCE\(tracking->valid, !ret\)/WRITE_ONCE(tracking->valid, true)/'
range "begin makes valid after the unlock" t1_an_invalidation_at_each_moment_of_begin \
	'/^int hmm_range_begin/,/^}/{
		s/^\tWRITE_ONCE\(tracking->valid, !ret\);//
		s/^(\tspin_unlock.*)/\1\
	WRITE_ONCE(tracking->valid, !ret);/
	}'
range "begin arms later than it looks at the list" t1_an_invalidation_at_each_moment_of_begin \
	'/^int hmm_range_begin/,/^}/{
		s/^\ttracking->window = /\tspin_unlock(\&ranges->lock);\
	spin_lock(\&ranges->lock);\
&/
	}'
range "only the oldest in flight is waited for" t7_wait_ends_with_the_invalidation \
	'/^static int hmm_ranges_readable/,/^}/{
		s/return -EBUSY;/return invalidation->tracked.next ==\
			       \&ranges->invalidations ? -EBUSY : 0;/
	}'
range "a wait says what was before it slept" t7_wait_ends_with_the_invalidation \
	's/\(ret = (hmm_range_poll\(ranges, range\))\) != -EBUSY/\1 != -EBUSY/'
range "begin leaves the window" t1_of_the_window_that_was_walked \
	'/^int hmm_range_begin/,/^}/s/tracking->window = .*/;/'
range "begin does not end the call" t8_only_the_same_call_is_a_retry \
	'/^int hmm_range_begin/,/^}/s/tracking->call.hmm_pfns = NULL;/;/'
range "a wait of 0 sleeps" t7_wait_ends_on_timeout \
	's/if \(ret != -EBUSY \|\| !timeout\)/if (ret != -EBUSY)/'
range "a long wait is none" t7_wait_for_very_long \
	's/min_t\(unsigned long, timeout_ms, UINT_MAX\)/timeout_ms/'
range "a very long wait is none" t7_wait_for_very_long \
	's/timeout = min_t\(unsigned long, timeout, MAX_SCHEDULE_TIMEOUT\);/;/'
range "a killed wait goes on" t7_wait_ends_on_a_fatal_signal \
	's/return left < 0 \? -EINTR : ret/return ret/'

# Which walk is a retry.
claim "a walk is a retry untold" t8_untold_all_is_read \
	's/return walk->retry \&\& walk->fault/return walk->fault/'
claim "a snapshot leaves out" t8_what_asks_for_nothing_reads_all \
	's/return walk->retry \&\& walk->fault \&\&/return walk->retry \&\&/'
claim "a fault that asks for nothing leaves out" t8_what_asks_for_nothing_reads_all \
	's/\(range->default_flags \& HMM_PFN_REQ_FAULT\) \&\&/true \&\&/'
claim "with a mask, too, some is left out" t8_with_a_mask_all_is_read \
	's/!range->pfn_flags_mask/true/'
claim "the array of a call with a mask is kept" t8_with_a_mask_all_is_read \
	'/^static void hmm_walk_new_call/,/^}/{
		s/walk->fault \&\& !range->pfn_flags_mask/walk->fault/
	}'
claim "other flags are taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.default_flags == range->default_flags/true/'
claim "another owner is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.dev_private_owner == range->dev_private_owner/true/'
claim "another array is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->call.hmm_pfns == range->hmm_pfns/true/'
claim "another start is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->window.start == range->start/true/'
claim "another end is taken for a retry" t8_only_the_same_call_is_a_retry \
	's/tracking->window.end == range->end/true/'
claim "a fault is taken for the retry of a snapshot" t8_only_the_same_call_is_a_retry \
	's/bool kept = walk->fault \&\&/bool kept = /'
claim "a call is one of the owner that was registered" t8_only_the_same_call_is_a_retry \
	'/^static void hmm_walk_new_call/,/^}/{
		s/dev_private_owner = range->dev_private_owner/dev_private_owner = tracking->owner/
	}'
claim "a new call reads all that was registered" t1_of_the_window_that_was_walked \
	's/walk->extent = tracking->window;/walk->extent = (struct hmm_extent)\
		{ tracking->node.start, tracking->node.last + 1 };/'
claim "a new call reads what lay in its notes" t1_start_invalidates \
	'/^static void hmm_walk_new_call/,/^}/s/hmm_dirty_clear\(\&walk->todo\);/;/
	/^static bool hmm_walk_next/,/^}/s/walk->extent.end != window->end/true/'
claim "what was told is not forgotten" t8_untold_all_is_read \
	'/^bool hmm_range_take_retry/,/^}/s/range->tracking.retry = false;/;/'
claim "a call that fails early keeps what was told" t8_untold_all_is_read \
	'/^static int hmm_walk_begin/,/^}/{
		s/^\tif \(hmm_range_take_retry\(range\)\)/\tif (false)/
		s/^(\tspin_lock\(.*)/\tif (hmm_range_take_retry(range))\
		walk->retry = true;\
\1/
	}'
claim "a walk leaves the window" t1_of_the_window_that_was_walked \
	'/^static void hmm_walk_new_call/,/^}/s/tracking->window = .*/;/'
claim "a new call reads what was noted" t8_untold_all_is_read \
	'/^static void hmm_walk_new_call/,/^}/s/hmm_dirty_clear\(&tracking->dirty\);/;/'
claim "the flags of a call are not kept" t8_told_what_was_hit_is_read \
	'/^static void hmm_walk_new_call/,/^}/s/tracking->call.default_flags = .*/;/'
claim "the owner of a call is not kept" t9_a_retry_reads_what_own_ones_hit \
	'/^static void hmm_walk_new_call/,/^}/s/tracking->call.dev_private_owner = .*/;/'

# A walk.
claim "a walk leaves the range valid" t9_a_running_walk_takes_own_ones_for_others \
	'/^static int hmm_walk_begin/,/^}/s/WRITE_ONCE\(tracking->valid, false\);/;/'
claim "a mm without users is walked" t7_an_empty_retry_fails_when_the_mm_dies \
	'/^static int hmm_walk_begin/,/^}/s/!atomic_read\(\&tracking->mm->mm_users\)/false/'
claim "an unstable mm is walked" t7_walk_fails_when_the_mm_is_unstable \
	's/check_stable_address_space\(tracking->mm\)/false/'
claim "what is in flight is claimed" t13_goes_round_what_is_in_flight \
	'/^static int hmm_walk_claim/,/^}/s/if \(!hmm_overlaps\(.*\)\)/if (true)/'
claim "what follows one in flight is not read" t13_goes_round_what_is_in_flight \
	'/^static void hmm_walk_go_round/,/^}/s/extent->start = PAGE_ALIGN\(.*/;/'
claim "a claim reaches into one in flight" t13_goes_round_what_is_in_flight \
	'/^static int hmm_walk_claim/,/^}/{
		s/walk->claimed = start;/walk->claimed = start + PAGE_SIZE;/
	}'
claim "a claim reaches into a part of a page in flight" t8_parts_of_pages \
	's/PAGE_ALIGN_DOWN\(invalidation->start\)/PAGE_ALIGN(invalidation->start)/'
claim "a part of a page in flight is not gone round" t8_parts_of_pages \
	's/PAGE_ALIGN\(invalidation->end\)/PAGE_ALIGN_DOWN(invalidation->end)/'
claim "a page behind one in flight is gone round, too" t13_goes_round_what_is_in_flight \
	's/PAGE_ALIGN\(invalidation->end\)/& + PAGE_SIZE/'
claim "a claim ends at the last one in flight" t13_goes_round_in_any_order \
	'/^static int hmm_walk_claim/,/^}/{
		/walk->claimed = start;/,/continue;/s/continue;/break;/
	}'
claim "the next extent is not claimed" t13_goes_round_what_is_in_flight \
	'/^int hmm_range_walk/,/^}/{
		s/ret = hmm_walk_claim_more\(walk\);/walk->claimed = walk->extent.end;/
	}'
claim "a claim grows again" t13_goes_round_in_any_order \
	'/^static int hmm_walk_claim/,/^}/{
		s/(hmm_overlaps\(invalidation, extent->start), walk->claimed/\1, extent->end/
	}'
claim "what a walk goes round is taken for unclaimed" t13_goes_round_what_is_in_flight \
	'/^static void hmm_walk_go_round/,/^}/s/tracking->unclaimed = .*/;/'
claim "what a walk goes round is not noted" t13_comes_back \
	'/^static void hmm_walk_go_round/,/^}/s/hmm_range_note\(.*/;/'
claim "a walk does not see that the mm dies" t7_an_empty_retry_fails_when_the_mm_dies \
	'/^static int hmm_walk_claim/,/^}/s/return ranges->dying \? -EFAULT : 0/return 0/'
claim "a claim is made after the read" t13_what_is_hit_is_read_again \
	'/^static int hmm_walk_claim/,/^}/{
		s/(tracking->unclaimed = \(struct hmm_extent\)\{) walk->claimed/\1 extent->start/
	}'
claim "a claim is of all" t13_nothing_is_noted_of_what_is_not_claimed \
	'/^static int hmm_walk_claim/,/^}/{
		s/(tracking->unclaimed = \(struct hmm_extent\)\{) walk->claimed, extent->end/\1/
	}'
claim "what is not claimed starts a page late" t13_nothing_is_noted_of_what_is_not_claimed \
	'/^static int hmm_walk_claim/,/^}/{
		s/(tracking->unclaimed = .*\{ walk->claimed),/\1 + PAGE_SIZE,/
	}'
claim "what is not claimed ends a page early" t13_nothing_is_noted_of_what_is_not_claimed \
	'/^static int hmm_walk_claim/,/^}/{
		s/(tracking->unclaimed = .*), extent->end/\1,\
		max(walk->claimed, extent->end - PAGE_SIZE)/
	}'
claim "the last page is not given back" t13_what_is_kept_is_zapped_during_a_fault \
	's/(tracking.unclaimed =) walk->extent;/\1\
		(struct hmm_extent){ walk->extent.start, walk->extent.end - PAGE_SIZE };/'
claim "nothing is given back before a fault" t13_copies_do_not_disturb_the_walk \
	's/walk->range->tracking.unclaimed = walk->extent;/;/'
claim "what is below is given back, too" t13_what_is_kept_is_zapped_during_a_fault \
	's/(tracking.unclaimed =) walk->extent;/\1\
		(struct hmm_extent){ 0, walk->extent.end };/'
claim "what is kept above is given back, too" t13_what_is_kept_is_zapped_during_a_fault \
	's/(tracking.unclaimed =) walk->extent;/\1\
		(struct hmm_extent){ walk->extent.start, walk->extent.end + PAGE_SIZE };/'
claim "the page that is faulted in is not given back" t13_what_is_kept_is_zapped_during_a_fault \
	's/(tracking.unclaimed =) walk->extent;/\1\
		(struct hmm_extent){ walk->extent.start + PAGE_SIZE, walk->extent.end };/'
claim "there are no rounds" t13_two_rounds \
	's/else if \(walk->rounds\)/else if (false)/'
claim "there is one round more" t13_two_rounds \
	's/(walk->rounds = .* HMM_WALK_ROUNDS);/\1 + 1;/'
claim "there is a round less" t13_two_rounds \
	's/(walk->rounds = .* HMM_WALK_ROUNDS);/\1 - 1;/'
claim "there are rounds with a mask" t13_no_rounds_with_a_mask \
	's/walk->rounds = walk->mask \? 0 : /walk->rounds = /'
claim "rounds have no end" t13_two_rounds \
	's/walk->rounds--;/;/'
claim "where a walk was interrupted is not put back" t8_a_walk_that_fails_puts_its_notes_back \
	's/tracking->dirty.rest = walk->extent;/;/'
claim "where a walk was interrupted takes a note" t8_where_it_was_interrupted_takes_no_note \
	'/^static bool hmm_walk_next/,/^}/s/walk->extent.end/walk->extent.start/'
claim "what is left takes a note of the next walk" t8_what_is_left_takes_no_note \
	's/tracking->dirty.left\+\+;/;/'
claim "what follows is not put back" t8_a_walk_that_fails_puts_its_notes_back \
	'/^static void hmm_walk_put_back/,/^}/s/while \(hmm_walk_next\(walk\)\)/while (false)/'
claim "nothing is put back" t8_a_walk_that_fails_puts_its_notes_back \
	's/hmm_walk_put_back\(walk\);/;/'
claim "the end of a walk does not see that the mm dies" t7_an_empty_retry_fails_when_the_mm_dies \
	'/^static bool hmm_walk_again/,/^}/s/else if \(ranges->dying\)/else if (false)/'
claim "a walk that was hit does not see that the mm dies" \
	t7_a_walk_that_is_hit_fails_when_the_mm_dies \
	's/else if \(ranges->dying\)/else if (ranges->dying \&\& !tracking->dirty.nr)/'
claim "a walk becomes valid later than it looks at the notes" t13_one_invalidation_in_each_order \
	'/^static bool hmm_walk_again/,/^}/s/^(\t+)smp_store_release/\1spin_unlock(\&ranges->lock);\
\1spin_lock(\&ranges->lock);\
\1smp_store_release/'
claim "a claim is made later than the look at the list" t13_one_invalidation_in_each_order \
	'/^static int hmm_walk_claim/,/^}/s/^\ttracking->unclaimed =/\tspin_unlock(\&ranges->lock);\
	spin_lock(\&ranges->lock);\
	tracking->unclaimed =/'
claim "a walk is valid whatever came in between" t1_invalidation_during_a_walk \
	'/^static bool hmm_walk_again/,/^}/{
		s/else if \(hmm_dirty_is_empty\(.*\)\)/else if (true)/
	}'
claim "what was hit in the last round is valid" t13_two_rounds \
	'/^static bool hmm_walk_again/,/^}/{
		s/^\t\t\*err = -EBUSY;/\t\tsmp_store_release(\&tracking->valid, true);/
	}'
claim "a walk that fails makes valid" t8_a_walk_that_fails_puts_its_notes_back \
	's/^(\t+)hmm_walk_put_back\(walk\);/\1hmm_walk_put_back(walk);\
\1smp_store_release(\&tracking->valid, true);/'

# The notes.
dirty "notes are taken and kept" t8_told_what_was_hit_is_read \
	'/^void hmm_dirty_move/,/^}/s/hmm_dirty_clear\(from\);/;/'
dirty "the last note is not taken" t8_notes_are_exact \
	'/^void hmm_dirty_move/,/^}/s/to->nr = from->nr;/to->nr = from->nr - !!from->nr;/'
dirty "the chunks are not taken" t8_chunks_add_up \
	'/^void hmm_dirty_move/,/^}/s/to->chunks = from->chunks;/to->chunks = 0;/'
dirty "the rest is not taken" t8_a_walk_that_fails_puts_its_notes_back \
	'/^void hmm_dirty_move/,/^}/s/to->rest = from->rest;/to->rest = (struct hmm_extent){};/'
header "the number of notes is not cleared" t8_told_what_was_hit_is_read \
	'/^static inline void hmm_dirty_clear/,/^}/s/dirty->nr = 0;/;/'
header "what was left is not cleared" garbage_leaves_no_trace_at_register \
	'/^static inline void hmm_dirty_clear/,/^}/s/dirty->left = 0;/;/'
header "the chunks are not cleared" t8_chunks_add_up \
	'/^static inline void hmm_dirty_clear/,/^}/s/dirty->chunks = 0;/;/'
header "the rest is not cleared" t8_a_walk_that_fails_puts_its_notes_back \
	'/^static inline void hmm_dirty_clear/,/^}/s/dirty->rest = .*/;/'
header "no note makes the notes none" t1_invalidation_during_a_walk \
	'/^static inline bool hmm_dirty_is_empty/,/^}/s/!dirty->nr \&\&/true \&\&/'
dirty "a note is not of the window" t8_told_what_was_hit_is_read \
	'/^void hmm_dirty_add/,/^}/s/max\(start, window->start\)/start/'
dirty "a note reaches beyond the window" t8_told_what_was_hit_is_read \
	'/^void hmm_dirty_add/,/^}/s/min\(end, window->end\)/end/'
dirty "a note starts in mid-page" t8_parts_of_pages \
	's/extent.start = round_down.*/;/'
dirty "a note ends in mid-page" t8_parts_of_pages \
	's/extent.end = round_up.*/;/'
dirty "an empty note is one" t8_notes_are_exact \
	's/if \(extent.start >= extent.end\)/if (false)/'
dirty "a note less is exact" t8_notes_are_exact \
	's/(dirty->left \+ HMM_DIRTY_HITS)/\1 - 1/'
dirty "a note more is exact" t8_beyond_the_notes_chunks_are_read \
	's/(dirty->left \+ HMM_DIRTY_HITS)/\1 + 1/'
dirty "there is no end of notes" t8_what_is_left_takes_no_note \
	's/min\((dirty->left \+ HMM_DIRTY_HITS), HMM_DIRTY_NOTES\)/\1/'
dirty "no notes are joined" t8_notes_that_meet_share_a_place \
	's/hmm_dirty_join\(dirty, \&extent\);/;/'
dirty "what adjoins below is not joined" t8_notes_that_meet_share_a_place \
	's/note->end < extent->start/note->end <= extent->start/'
dirty "what adjoins above is not joined" t8_notes_that_meet_share_a_place \
	's/extent->end < note->start/extent->end <= note->start/'
dirty "what is a page apart is joined" t8_notes_a_page_apart_are_two \
	's/note->end < extent->start/note->end + PAGE_SIZE < extent->start/'
dirty "a joined note loses its start" t8_notes_that_meet_share_a_place \
	's/extent->start = min\(extent->start, note->start\);/;/'
dirty "a joined note loses its end" t8_notes_that_meet_share_a_place \
	's/extent->end = max\(extent->end, note->end\);/;/'
dirty "a joined note keeps its place" t8_notes_that_meet_share_a_place \
	's/\*note = dirty->notes\[--dirty->nr\];/note++; continue;/'
dirty "the last note is lost when one is joined" t8_notes_that_meet_share_a_place \
	's/\*note = dirty->notes\[--dirty->nr\];/--dirty->nr;/'
dirty "chunks are too small" t8_beyond_the_notes_chunks_are_read \
	's/#define HMM_DIRTY_CHUNK_BITS	6/#define HMM_DIRTY_CHUNK_BITS	7/'
dirty "chunks are too large" t8_beyond_the_notes_chunks_are_read \
	's/#define HMM_DIRTY_CHUNK_BITS	6/#define HMM_DIRTY_CHUNK_BITS	5/'
dirty "the size of a chunk is that of one byte more" t8_beyond_the_notes_chunks_are_read \
	's/window->end - window->start - 1\)/window->end - window->start)/'
dirty "the end of a chunk is inclusive" t8_chunks_add_up \
	's/extent->end - 1 - window->start/extent->end - window->start/'
dirty "the first chunk is missed" t8_beyond_the_notes_chunks_are_read \
	's/\((extent->start - window->start)\) >> shift\)/((\1) >> shift) + 1)/'
dirty "the last chunk is missed" t8_chunks_add_up \
	's/(GENMASK_ULL\()\(extent->end - 1 -/\1(extent->start -/'
dirty "the last chunk reaches beyond the window" t8_beyond_the_notes_chunks_are_read \
	's/min_t\(u64, \(u64\)end << shift,/max_t(u64, (u64)end << shift,/'
dirty "chunks that follow are not one" t8_chunks_add_up \
	's/chunks = ~\(chunks \| \(BIT_ULL\(first\) - 1\)\);/chunks = 0;/'
dirty "chunks below are found again" t8_chunks_add_up \
	's/chunks \&= GENMASK_ULL\(63, from >> shift\);/;/'
dirty "chunks are not found" t8_beyond_the_notes_chunks_are_read \
	's/hmm_extent_first\(next, \&chunks, from\);/;/'
dirty "notes are not found" t8_told_what_was_hit_is_read \
	's/hmm_extent_first\(next, \&dirty->notes\[i\], from\);/;/'
dirty "the rest is not found" t8_a_walk_that_fails_puts_its_notes_back \
	's/hmm_extent_first\(next, \&dirty->rest, from\);/;/'
dirty "the highest comes first" t8_notes_are_exact \
	's/start < next->start/(next->start == ULONG_MAX || start > next->start)/'
dirty "what was read is found again" t8_notes_and_chunks_may_overlap \
	's/unsigned long start = max\(extent->start, from\);/unsigned long start = extent->start;/'

# Link a program of the copies. A file includes the header that lies beside it.
build()
{
	make --no-print-directory build OUTPUT="$work" EXTRA_CFLAGS=-w \
		MM="$work/mm" >"$work/log" 2>&1
}

run() { SEED=1 "$work/hmm-range-test" "$@" >>"$work/log" 2>&1; }

# Put FILE back, or all of them, and what was built of it. The old times are
# kept, so that make builds again what the next mutant changes, and only that.
restore()
{
	local file

	for file in ${1:-$files}; do
		cp -p "$mm/$file" "$work/mm/$file"
	done
	[ ! -d "$work/good" ] || cp -p "$work/good/"*.o "$work/"
}

# Say in one line what has become of mutant NUMBER.
try()
{
	local source=$mm/${sources[$1]} copy=$work/mm/${sources[$1]}
	local name=${names[$1]} test=${tests[$1]}

	sed -E "${edits[$1]}" "$source" >"$copy"
	if cmp -s "$source" "$copy"; then
		echo "not ok $name: the edit does not fit ${sources[$1]} any more"
	elif ! build; then
		echo "not ok $name: does not build"
	elif run "$test"; then
		echo "not ok $name: $test did not fail"
	elif ! grep -q "^not ok 1 - $test\$" "$work/log"; then
		echo "not ok $name: there is no test $test"
	else
		echo "ok $name: $test"
	fi
	restore "${sources[$1]}"
}

# Each worker has a directory of its own, and one mutant in so many as there are.
worker()
{
	local number=$1

	work=$top/$1
	# One that was killed has left what it built of a mutant.
	rm -rf "$work/good" "$work/"*.o
	mkdir -p "$work/mm"
	restore
	if ! build; then
		echo "not ok the code as it is: does not build"
		return
	fi
	mkdir -p "$work/good"
	cp -p "$work/"*.o "$work/good/"
	if [ "$number" = 0 ]; then
		run && echo "ok the code as it is: passes all tests" ||
			echo "not ok the code as it is: fails"
		number=$workers
	fi
	for (( ; number < ${#names[@]}; number += workers)); do
		try "$number"
	done
}

nr=${#names[@]}
failed=0
answers=()
for ((i = 0; i < workers; i++)); do
	exec {answer}< <(worker "$i")
	answers+=("$answer")
done
echo "KTAP version 1"
for ((i = 0; i < nr; i++)); do
	read -r -u "${answers[i % workers]}" line ||
		line="not ok ${names[i]}: nobody has tried"
	[[ $line == ok* ]] || failed=$((failed + 1))
	echo "${line%%ok *}ok $((i + 1)) - ${line#*ok }"
done
echo "1..$nr"
echo "# $((nr - failed)) passed, $failed failed"
exit $((failed > 0))
