#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Break a copy of the tracker in one known way after the other, and demand that
# the test named beside it fails. Run by "make mutants".

set -u
cd "$(dirname "$0")" || exit 2
top=${1:?usage: mutate.sh DIRECTORY [REGEX of names]}
wanted=${2:-.}
root=../../..
files="mm/mmu_interval.c mm/mmu_interval.h mm/hmm_range.c mm/hmm_claim.c mm/hmm_dirty.c
       mm/hmm_internal.h include/linux/mmu_interval.h"
workers=$(nproc)

# The first is the code as it is, with all tests.
sources=("")
names=("the code as it is")
tests=("")
edits=("")

# mutant FILE NAME TEST EXPRESSION: what sed's EXPRESSION does to FILE must fail
# TEST.
mutant()
{
	[[ $2 =~ $wanted ]] || return
	sources+=("$1")
	names+=("$2")
	tests+=("$3")
	edits+=("$4")
}

range() { mutant mm/hmm_range.c "$@"; }
claim() { mutant mm/hmm_claim.c "$@"; }
dirty() { mutant mm/hmm_dirty.c "$@"; }
header() { mutant mm/hmm_internal.h "$@"; }
interval() { mutant mm/mmu_interval.c "$@"; }
tracker() { mutant mm/mmu_interval.h "$@"; }
public() { mutant include/linux/mmu_interval.h "$@"; }

# An invalidation starts.
range "a start leaves the range valid" t1_start_invalidates \
	'/^static noinline void hmm_range_hit/,/^}/s/WRITE_ONCE\(tracking->valid, false\);/;/'
range "a start notes nothing" t8_told_what_was_hit_is_read \
	'/^static noinline void hmm_range_hit/,/^}/s/hmm_range_note\(range, invalidation\);/;/'
range "a start is not counted" t14_hits_are_counted \
	'/^static noinline void hmm_range_hit/,/^}/s/WRITE_ONCE\(tracking->seq, .*\);/;/'
range "a start looks at the registered bounds" t1_of_the_window_that_was_walked \
	'/^static void hmm_range_mark/,/^}/{
		s/window->start, window->end/sub->interval_tree.start,\
			 sub->interval_tree.last + 1/
	}'
tracker "a start drops the lock before it marks" t3_unregistered_at_each_moment \
	'/^static inline int mmu_tracker_start/,/^}/{
		s/^\tif \(node\)/\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
	if (node)/
	}'
range "a start beside the window makes invalid" t1_of_the_window_that_was_walked \
	'/^static void hmm_range_mark/,/^}/{
		s/^\tif \(hmm_overlaps/\tWRITE_ONCE(range->tracking.valid, false);\
&/
	}'
header "the end of an invalidation is inclusive" t4_ends_are_exclusive \
	'/^static inline bool hmm_overlaps/,/^}/s/(invalidation->end >) start/\1= start/'
header "the end of a window is inclusive" t1_of_the_window_that_was_walked \
	'/^static inline bool hmm_overlaps/,/^}/s/(invalidation->start <) end/\1= end/'
header "an empty invalidation overlaps" t4_an_empty_invalidation_hits_nothing \
	's/invalidation->start < invalidation->end \&\&/true \&\&/'
tracker "none is recorded while no range is registered" t6_recorded_while_no_range_is_registered \
	'/^static inline int mmu_tracker_start/,/^}/s/list_add\(/if (!tracker->tree.rb_leftmost)\
		INIT_LIST_HEAD(\&range->tracked.node);\
	else\
		list_add(/'
interval "only the first range that is hit is marked" t4_the_whole_address_space \
	'/^static unsigned int mn_mark_few/,/^}/{
		s/seen < MN_CALLS/seen < 1/
		s/^\treturn nr;/\t*node = NULL;\
&/
	}'
interval "only the first of many ranges that are hit is marked" marks_go_on_where_they_were \
	'/^static void mn_mark_all/,/^}/{
		s/^\t\tmn_cursor_step\(\&cursor\);/\t\tcursor.next = NULL;/
	}'
interval "marks after a pause begin with the one after next" marks_go_on_where_they_were \
	'/^static void mn_cursor_pause/,/^}/s/^\tmn_cursor_resume\(cursor\);/&\
	if (cursor->next)\
		mn_cursor_step(cursor);/'
interval "who takes out what is next does not say so" marks_go_on_where_they_were \
	'/^void mmu_tracker_skip/,/^}/s/^\t\t\tmn_cursor_step\(cursor\);/\t\t\t;/'
range "a hit beside the window is counted" t14_hits_are_counted \
	'/^static void hmm_range_mark/,/^}/{
		s/^\tif \(hmm_overlaps/\trange->tracking.seq +=\
		!hmm_overlaps(invalidation, window->start, window->end);\
&/
	}'
tracker "a start is in the list later than it marks" t1_nothing_becomes_valid_once_one_has_started \
	'/^static inline int mmu_tracker_start/,/^}/{
		s/^\tlist_add\(.*/;/
		s/^\t\treturn mmu_tracker_hit.*/{ int ret = mmu_tracker_hit(tracker, range, node);\
		spin_lock(\&tracker->lock);\
		list_add(\&range->tracked.node, \&tracker->invalidations);\
		spin_unlock(\&tracker->lock);\
		return ret; }/
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
	's/^\tif \(READ_ONCE\(tracking->valid\) \&\&/\tif (/'
interval "the end of an ignored one is not noted" t9_a_retry_reads_what_own_ones_hit \
	'/^void mmu_tracker_end/,/^}/s/unlikely\(range->owner\)/false/'
interval "the end of an ignored one of one kind is noted" t9_a_retry_reads_what_own_ones_hit \
	'/^void mmu_tracker_end/,/^}/s/unlikely\(range->owner\)/range->event == MMU_NOTIFY_MIGRATE/'
interval "the end is noted later than it leaves the list" t9_noted_when_it_leaves_the_list \
	'/^void mmu_tracker_end/,/^}/s/^(\tspin_lock.*)/\1\
	list_del_init(\&range->tracked.node);\
	spin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);/'
interval "the end is noted for the first range" t9_noted_for_each_range \
	'/^static void mn_mark_all/,/^}/s/^\t\tmn_cursor_step\(\&cursor\);/&\
		if (end)\
			break;/'
interval "the end of one at the first page is not noted" t9_noted_for_each_range \
	'/^void mmu_tracker_end/,/^}/s/range->end - 1\)/range->end - 1 - PAGE_SIZE)/'
range "the end is noted for a valid range only" t9_own_one_around_a_foreign_one \
	'/^static void hmm_range_mark/,/^}/{
		s/\t\tif \(hmm_range_ignores/\t\tif (range->tracking.valid \&\& hmm_range_ignores/
	}'
range "the end of a foreign one is noted" t8_the_end_of_a_foreign_one_is_not_noted \
	'/^static void hmm_range_mark/,/^}/{
		s/\t\tif \(hmm_range_ignores\(range, invalidation\)\)/\t\tif (true)/
	}'
claim "an ignored one in flight is not noted" t9_own_one_around_a_foreign_one \
	'/^static void hmm_walk_go_on/,/^}/s/hmm_range_note\(.*/;/'

# Its bounds, and numbers.
interval "one of many marks and calls what lies beside" o4_what_is_beside_many_is_not_called \
	'/^static struct mn_cursor mn_cursor_at/,/^}/s/range->end - 1,/range->end,/'
interval "what lies beside is waited for when nothing is left" o2_a_start_beside_a_removal \
	'/^static struct mn_cursor mn_cursor_first/,/^}/s/range->end - 1\)/range->end)/'
tracker "a start looks one byte further" o1_an_unrelated_one_is_not_waited_for \
	'/^static inline int mmu_tracker_start/,/^}/s/range->end - 1\)/range->end)/'
tracker "the last byte does not overlap" o1_a_single_byte \
	'/^static inline bool mmu_range_hits/,/^}/s/range->start <= last/range->start < last/'
interval "the first ones of many are marked twice" marks_leave_out_what_goes_alone \
	'/^static noinline int mn_call_many/,/^}/{
		s/range, node, false\)/range, mn_cursor_first(tracker, range).next, false)/
	}'
interval "marks pause before they step" marks_leave_out_what_goes_alone \
	'/^static void mn_mark_all/,/^}/{
		s/^\t\tmn_cursor_step.*//
		s/^\t\tif \(cursor.next \&\& (.*)\)$/\t\tif (\1)/
		s/^\t\t\tmn_cursor_pause.*/&\
		if (cursor.next)\
			mn_cursor_step(\&cursor);/
	}'
tracker "a start draws its number before it has the lock" \
	o2_inserted_before_the_start_has_the_lock \
	'/^static inline int mmu_tracker_start/,/^}/{
		s/^\tspin_lock\(.*/\tu64 seq = mmu_tracker_draw(tracker);\
\
&/
		s/mmu_tracker_draw\(tracker\);$/seq;/
	}'
range "own ones that are ignored step the number" t16_own_events \
	'/^static void hmm_range_mark/,/^}/{
		s/^\tif \(!hmm_range_ignores\(range, invalidation\)\)/\tif (true)/
	}'

# An invalidation ends, and the mm dies.
range "an end makes the range valid again" t9_a_retry_reads_what_own_ones_hit \
	'/^static void hmm_range_mark/,/^}/{
		s/^\t\tif \(hmm_range_ignores\(range, invalidation\)\)/\t\tif (\
			WRITE_ONCE(range->tracking.valid, true), false)/
	}'
interval "an end stays in the list" t7_wait_ends_with_the_invalidation \
	's/__list_del_entry\(\&range->tracked.node\)/(void)0/'
interval "an end wakes nobody" t7_wait_ends_with_the_invalidation \
	'/^void mmu_tracker_end/,/^}/s/mn_passed\(tracker, range, false\);/;/'
interval "an end wakes before it is off the list" t7_woken_when_the_invalidation_is_off_the_list \
	'/^void mmu_tracker_end/,/^}/{
		s/^\t\tmn_passed\(.*/\t\t;/
		s/^\t__list_del_entry/\tmn_passed(tracker, range, false);\
	spin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
	__list_del_entry/
	}'
interval "who waits is in the list later than it has counted" o1_an_end_at_each_moment \
	'/^static long mn_wait_once/,/^}/s/^\tinit_completion.*/\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
&/'
interval "the death of the mm wakes nobody" t7_wait_ends_when_the_mm_dies \
	'/^void mmu_tracker_release/,/^}/s/if \(!waiter->for_calls\)/if (false)/'
interval "the death of the mm wakes who waits for a removal" o2_a_removal_when_the_mm_dies \
	'/^void mmu_tracker_release/,/^}/s/if \(!waiter->for_calls\)/if (true)/'
interval "the death of the mm is forgotten" t7_all_fails_once_the_mm_is_dying \
	's/WRITE_ONCE\(tracker->dying, true\)/;/'
interval "the death of the mm is set later than it wakes" o5_woken_when_the_mm_dies \
	'/^void mmu_tracker_release/,/^}/{
		s/WRITE_ONCE\(tracker->dying, true\);/;/
		s/^\tspin_unlock.*/&\
	spin_lock(\&tracker->lock);\
	WRITE_ONCE(tracker->dying, true);\
	spin_unlock(\&tracker->lock);/
	}'
interval "the death of the mm is set after all is marked" \
	t7_nothing_becomes_valid_when_the_mm_dies \
	'/^void mmu_tracker_release/,/^}/{
		s/WRITE_ONCE\(tracker->dying, true\)/;/
		s/^(\tmmu_tracker_end.*)/\1\
	WRITE_ONCE(tracker->dying, true);/
	}'
interval "the death of the mm leaves ranges valid" t10_exit_marks_all \
	'/^void mmu_tracker_release/,/^}/s/^\tmmu_tracker_start.*/\tspin_lock(\&tracker->lock);\
	list_add(\&range.tracked.node, \&tracker->invalidations);\
	spin_unlock(\&tracker->lock);/'


interval "the death of the mm is of no mm" o1_the_mm_dies \
	'/^void mmu_tracker_release/,/^}/s/\.mm = mm,//'

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
	'/^static void hmm_range_disown/,/^}/s/range->tracking.sub.mm = NULL;/;/'
range "a failed register keeps the ranges of the mm" garbage_mm_at_register \
	'/^static void hmm_range_disown/,/^}/s/WRITE_ONCE\(range->tracking.sub.tracker, NULL\);/;/'
range "a failed register is not taken back" garbage_mm_at_register \
	'/^__hmm_range_register/,/^}/s/^\t\thmm_range_disown\(range\);/\t\t;/'
range "register keeps the page that was tried" garbage_leaves_no_trace_at_register \
	'/^static void hmm_range_reset/,/^}/s/tracking->tried = ULONG_MAX;/;/'
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
	's/!\(range->flags \& ~\(HMM_RANGE_SPARSE \| HMM_RANGE_OWN_EVENTS\)\)/true/'
range "any event may be ignored" errno_of_unknown_flags_and_events \
	's/!\(range->ignore_events \& ~events\)/true/'
range "the last page is not registered" t4_ends_are_exclusive \
	's/(tracking->sub.interval_tree.last = range->end) - 1/\1 - 2 * PAGE_SIZE/'
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
tracker "a number outlives the range" t16_a_number_does_not_outlive_the_range \
	'/^static inline void mmu_tracker_erase/,/^}/{
		s/^\t\tWRITE_ONCE\(interval_sub->invalidate_seq, 0\);/\t\t;/
	}'
interval "what was not inserted looks as if it were" errno_of_insert \
	's/^\t\/\* Drivers look at @mm .*/\tinterval_sub->mm = mm;/'
range "unregister keeps the mm" errno_of_an_unregistered_range \
	'/^static void hmm_range_disown/,/^}/s/range->tracking.sub.mm = NULL;/;/'
range "unregister keeps the ranges of the mm" t12_register_pins_the_mm \
	'/^static void hmm_range_disown/,/^}/s/WRITE_ONCE\(range->tracking.sub.tracker, NULL\);/;/'
range "every registration takes the locks" t3_only_the_first_takes_the_locks \
	'/^hmm_range_insert/,/^}/s/if \(unlikely\(!tracker\)\)/if (true)/'
tracker "a plain notifier is taken for a record" t3_the_first_beside_a_plain_notifier \
	'/^static inline struct mmu_tracker \*mmu_notifier_tracker/,/^}/{
		s/ \|\| !READ_ONCE\(subscriptions->has_tracker\)//
	}'
range "racing registrations all take the locks" t3_racing_registrations_take_the_locks_once \
	'/^static int hmm_ranges_record_locked/,/^}/{
		s/if \(mmu_notifier_tracker\(mm\)\)/if (false)/
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
	's/return range->notifier \? NULL :/return/'
interval "begin does not wait for what overlaps" t1_walk_fails_during_an_invalidation \
	'/^int mmu_tracker_readable/,/^}/s/mn_in_flight\(.*\) \?/false ?/'
interval "every invalidation is waited for" t3_unrelated_invalidation_held_for_ever \
	'/^static bool mn_in_flight/,/^}/s/if \(mmu_range_hits.*/if (true)/'
interval "begin does not look whether the mm dies" t7_all_fails_once_the_mm_is_dying \
	'/^int mmu_tracker_readable/,/^}/s/if \(tracker->dying\)/if (false)/'
range "begin looks at the window of before" t3_waits_for_the_bounds_that_are_set \
	'/^int hmm_range_begin\(/,/^}/{
		s/(mmu_tracker_readable\(tracker,) range->start, range->end/\1\
				  tracking->window.start, tracking->window.end/
	}'
range "a wait looks at the window of before" t3_waits_for_the_bounds_that_are_set \
	'/^int hmm_range_wait\(/,/^}/{
		s/(mmu_tracker_wait\(tracker,) range->start, range->end/\1\
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
		s/^\ttracking->window = /\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
&/
	}'
interval "only the oldest in flight is waited for" t7_wait_ends_with_the_invalidation \
	'/^static bool mn_in_flight/,/^}/{
		s/return true;/return range->tracked.node.next == \&tracker->invalidations;/
	}'
interval "a wait says what was before it slept" t7_wait_ends_with_the_invalidation \
	'/^static int mn_wait\(/,/^}/s/^\t\tnow = jiffies;/\t\treturn ret;/'
interval "each time that it is woken the whole time begins again" o5_a_limit_in_time_in_a_stream \
	'/^static int mn_wait\(/,/^}/s/^\t\t\tleft = time_before\(.*/\t\t\t;/'
interval "a wait without a limit has one" o5_no_limit_in_time \
	's/const bool limited = left != MAX_SCHEDULE_TIMEOUT;/const bool limited = true;/'
interval "the time may be over and more" o5_a_limit_in_time_in_a_stream \
	's/time_before\(now, deadline\) \? deadline - now : 0/deadline - now ?: 1/'
range "begin leaves the window" t1_of_the_window_that_was_walked \
	'/^int hmm_range_begin/,/^}/s/tracking->window = .*/;/'
range "begin does not end the call" t8_only_the_same_call_is_a_retry \
	'/^int hmm_range_begin/,/^}/s/tracking->call.hmm_pfns = NULL;/;/'
interval "a wait of 0 sleeps" t7_wait_ends_on_timeout \
	'/^static int mn_wait\(/,/^}/s/if \(ret != -EBUSY \|\| !left\)/if (ret != -EBUSY)/'
range "a long wait is none" t7_wait_for_very_long \
	's/min_t\(unsigned long, timeout_ms, UINT_MAX\)/timeout_ms/'
interval "a very long wait is none" t7_wait_for_very_long \
	's/long left = min_t\(unsigned long, timeout, MAX_SCHEDULE_TIMEOUT\);/long left = timeout;/'
interval "a killed wait goes on" t7_wait_ends_on_a_fatal_signal \
	'/^static int mn_wait\(/,/^}/s/(mn_wait_for_ends\(.*\)) < 0\)/\1 < 0 \&\& !(left = 1))/'
interval "a killed wait says that the time is up" o5_a_limit_in_time \
	'/^static int mn_wait\(/,/^}/s/return -EINTR;/return -EBUSY;/'

# What may wait says so each time.
interval "a wait does not say that it may" o5_all_that_may_wait_says_so \
	'/^int mmu_tracker_wait/,/^}/s/if \(timeout\)/if (false)/'
interval "read_begin does not say that it may wait" o5_all_that_may_wait_says_so \
	'/^mmu_interval_read_begin\(/,/^}/s/mn_may_wait\(\);/;/'
interval "read_begin_timeout does not say that it may wait" o5_all_that_may_wait_says_so \
	'/^int mmu_interval_read_begin_timeout/,/^}/s/mn_may_wait\(\);/;/'
interval "a removal does not say that it may wait" o5_all_that_may_wait_says_so \
	'/^mn_remove_and_wait\(/,/^}/s/mn_may_wait\(\);/;/'

# Interval notifiers.
interval "read_begin waits for nothing" o1_what_overlaps_is_waited_for \
	'/^mmu_interval_read_begin\(/,/^}/s/^\tif \(mn_in_flight/\tif (false \&\& mn_in_flight/'
interval "read_begin looks at the first page" o1_each_page_of_it_is_waited_for \
	'/^mmu_interval_read_begin\(/,/^}/{
		s/mn_in_flight\(tracker, node->start, node->last\)/\
			mn_in_flight(tracker, node->start, node->start)/
	}'
interval "read_begin waits for the first page" o1_each_page_of_it_is_waited_for \
	'/^mmu_interval_read_begin\(/,/^}/{
		s/mn_wait_for_ends\(tracker, node->start, node->last,/\
			mn_wait_for_ends(tracker, node->start, node->start,/
	}'
interval "read_begin_timeout looks at the first page" o1_each_page_of_it_is_waited_for \
	'/^int mmu_interval_read_begin_timeout/,/^}/{
		s/node->start, node->last/node->start, node->start/
	}'
interval "read_begin takes a number though more have come" o1_waits_once \
	's/if \(\(seq != before \|\| tracker->dying\) \&\&/if (false \&\&/'
interval "read_begin takes none though what has come is ignored" o1_what_a_callback_ignores \
	's/if \(\(seq != before \|\| tracker->dying\) \&\&/if (true \&\&/'
interval "read_begin takes no number if it had to wait" o1_each_that_overlaps_counts \
	'/^mmu_interval_read_begin\(/,/^}/{
		s/if \(\(seq != before \|\| tracker->dying\) \&\&/if (seq != before ||/
	}'
interval "read_begin takes a number though the mm is dying" o1_the_mm_dies \
	's/\(seq != before \|\| tracker->dying\) \&\&/seq != before \&\&/'
interval "read_begin takes the number of before it waited" o1_calls_that_are_over_wake_no_reader \
	'/^mmu_interval_read_begin\(/,/^}/s/^\t\tseq = mn_seq\(interval_sub\);/\t\t;/'
interval "no number is odd" o1_waits_once \
	's/^#define MN_NO_SEQ	0UL/#define MN_NO_SEQ	tracker->seq/'
interval "read_begin can be killed" o1_a_fatal_signal_is_no_end \
	'/^mmu_interval_read_begin\(/,/^}/s/MAX_SCHEDULE_TIMEOUT, false/MAX_SCHEDULE_TIMEOUT, true/'
interval "read_begin takes a number later than it looks at the list" \
	o1_an_invalidation_at_each_moment \
	'/^mmu_interval_read_begin\(/,/^}/{
		s/^\tspin_unlock\(.*/\tspin_unlock(\&tracker->lock);\
	if (seq != MN_NO_SEQ)\
		seq = mn_seq(interval_sub);/
	}'
interval "read_begin_timeout takes a number later than it looks at the list" \
	o1_an_invalidation_at_each_moment \
	'/^int mmu_interval_read_begin_timeout/,/^}/{
		s/^\tif \(!ret\)/\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
&/
	}'
range "begin_seq takes a number later than it looks at the list" o1_an_invalidation_at_each_moment \
	'/^unsigned long hmm_range_begin_seq/,/^}/{
		s/^\t\tseq = READ_ONCE.*/\t\tseq = 1;/
		s/^\tspin_unlock\(.*/&\
	if (seq)\
		seq = READ_ONCE(range->tracking.sub.invalidate_seq);/
	}'
interval "who waits is woken by the first that ends" o1_each_that_overlaps_counts \
	'/^static noinline void mn_passed/,/^}/s/!--waiter->nr\)/waiter->nr)/'
interval "who waits is woken by one that came later" o1_only_the_last_one_wakes \
	'/^static noinline void mn_passed/,/^}/{
		s/mn_is_awaited\(range, waiter\)/mmu_range_hits(range, waiter->start, waiter->last)/
	}'
interval "who waits is woken by one beside" o1_each_that_overlaps_counts \
	'/^static noinline void mn_passed/,/^}/{
		s/mn_is_awaited\(range, waiter\)/range->tracked.seq <= waiter->seq/
	}'
interval "who waits for ends is woken by calls" o1_calls_that_are_over_wake_no_reader \
	'/^static noinline void mn_passed/,/^}/{
		s/waiter->for_calls == calls/waiter->for_calls <= calls/
	}'
interval "who waits for calls is woken by ends" o2_a_start_waits_for_a_removal \
	'/^static noinline void mn_passed/,/^}/{
		s/waiter->for_calls == calls/waiter->for_calls >= calls/
	}'
interval "who waits for calls waits for those that are over" o2_a_start_waits_for_a_removal \
	'/^static long mn_wait_once/,/^}/s/\(range->tracked.calls \|\| !waiter->for_calls\)/true/'
interval "who waits for ends waits for none whose calls are over" o1_what_overlaps_is_waited_for \
	'/^static long mn_wait_once/,/^}/s/ \|\| !waiter->for_calls\)/)/'
interval "those that came later are waited for" o2_a_start_waits_for_a_removal \
	'/^static bool mn_is_awaited/,/^}/s/range->tracked.seq <= waiter->seq/true/'
interval "the one that came last is not waited for" o1_waits_once \
	'/^static bool mn_is_awaited/,/^}/{
		s/range->tracked.seq <= waiter->seq/range->tracked.seq < waiter->seq/
	}'
interval "those beside are waited for" o1_what_overlaps_is_waited_for \
	'/^static bool mn_is_awaited/,/^}/s/mmu_range_hits\(.*\)/true/'
tracker "an empty one is waited for" o1_an_empty_one_is_none \
	'/^static inline bool mmu_range_hits/,/^}/s/range->start < range->end \&\&/true \&\&/'
interval "an empty one makes calls" o1_an_empty_one_is_none \
	'/^int mmu_tracker_hit/,/^}/s/if \(range->start >= range->end\)/if (false)/'
tracker "the last page of the address space does not overlap" o1_the_end_of_the_address_space \
	's/range->start <= last \&\&/range->start < last + 1 \&\&/'
tracker "insert draws no number" o3_no_two_have_the_same_number \
	'/^static inline void mmu_tracker_insert/,/^}/s/mmu_tracker_draw\(tracker\)/tracker->seq/'
tracker "what is inserted has no number to read with" o3_no_two_have_the_same_number \
	'/^static inline void mmu_tracker_insert/,/^}/s/^\tinterval_sub->invalidate_seq = .*/\t;/'
tracker "what is inserted again is being removed still" o2_inserted_again \
	'/^static inline void mmu_tracker_insert/,/^}/s/^\tinterval_sub->removed = U64_MAX;/\t;/'
tracker "a start draws no number" o3_no_two_have_the_same_number \
	'/^static inline int mmu_tracker_start/,/^}/s/mmu_tracker_draw\(tracker\);/tracker->seq;/'
interval "a removal draws no number" o5_removed_by_a_release_while_another_calls_it \
	'/^static noinline void mn_remove_later/,/^}/s/mmu_tracker_draw\(tracker\)/tracker->seq/'
tracker "numbers step by one" o3_no_two_have_the_same_number \
	's/tracker->seq \+= 2;/tracker->seq += 1;/'
interval "what is inserted meanwhile is called" o4_what_is_inserted_meanwhile_is_not_called \
	'/^static unsigned int mn_collect\(/,/^}/{
		s/mn_calls_sub\(range, interval_sub\)/(!interval_sub->release ||\
		     interval_sub->removed >= range->tracked.seq)/
	}'
interval "a start calls the one that was removed before it" o5_removed_while_two_call_it \
	'/^static unsigned int mn_mark_few\(/,/^}/{
		s/mn_calls_sub\(range, interval_sub\)/interval_sub->inserted < range->tracked.seq/
	}'
interval "a start calls what was removed before it" o5_removed_while_two_call_it_and_more \
	'/^static unsigned int mn_collect\(/,/^}/{
		s/mn_calls_sub\(range, interval_sub\)/interval_sub->inserted < range->tracked.seq/
	}'
interval "a start does not call what is removed after it" o5_all_removed_in_one_callback \
	'/^static unsigned int mn_collect\(/,/^}/{
		s/!mn_calls_sub\(range, interval_sub\)/& || interval_sub->removed != U64_MAX/
	}'
interval "more are collected than there is room for" o4_two_passes \
	'/^static unsigned int mn_collect\(/,/^}/s/if \(nr == MN_CALLS\)/if (false)/'
interval "what has no callback is kept to be called" ranges_go_while_others_are_called \
	'/^static unsigned int mn_collect\(/,/^}/s/interval_sub->kinds \& kind/true/'
interval "one that has no callback is kept to be called" a_range_goes_while_others_are_called \
	'/^static unsigned int mn_mark_few/,/^}/s/interval_sub->kinds \& MN_CALLED/true/'
interval "what is called next is said after the lock is dropped" a_range_goes_at_each_moment \
	'/^static int mn_call_kind/,/^}/{
		s/^\t\tmn_cursor_park.*//
		s/^\t\tspin_unlock.*/&\
		mn_cursor_park(tracker, \&cursor);/
	}'
interval "what is released next is said after the lock is dropped" a_range_goes_at_each_moment \
	'/^static noinline void mn_release_removed/,/^}/{
		s/^\t\tmn_cursor_park.*//
		s/^\t\tspin_unlock.*/&\
		mn_cursor_park(tracker, \&cursor);/
	}'
interval "one behind so many looks is not called" o4_a_notifier_behind_ranges \
	'/^static unsigned int mn_collect\(/,/^}/{
		s/^\tcursor->next = node;/\tif (node \&\& seen == MN_LOOKS)\
		node = interval_tree_iter_next(node, cursor->start, cursor->last);\
&/
	}'
interval "one behind so many looks is not released" o4_a_notifier_behind_ranges \
	'/^static unsigned int mn_collect_removed/,/^}/{
		s/^\treturn nr;/\tif (cursor->next \&\& seen == MN_LOOKS)\
		mn_cursor_step(cursor);\
&/
	}'
interval "one behind so many looks is not waited for" o4_a_notifier_behind_ranges \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/^\t\t\t\tmn_cursor_pause.*/\t\t\t{ mn_cursor_pause(tracker, \&cursor);\
				if (cursor.next)\
					mn_cursor_step(\&cursor); }/
	}'
interval "the last of as many as are kept is not called" o4_each_of_any_number_is_called \
	'/^static unsigned int mn_mark_few/,/^}/s/^\treturn nr;/\treturn nr - (nr == MN_CALLS);/'
interval "one more than are kept is not called" o4_each_of_any_number_is_called \
	'/^static int mn_mark_and_call/,/^}/{
		s/^\tif \(node\)/\tif (node \&\& interval_tree_iter_next(node, range->start,\
						      range->end - 1))/
	}'
interval "all are looked at in one hold, to be called" no_hold_of_the_lock_is_long_for_others \
	'/^static unsigned int mn_collect\(/,/^}/s/ \&\& seen < MN_LOOKS//'
interval "all are marked in one hold" no_hold_of_the_lock_is_long \
	'/^static void mn_mark_all/,/^}/s/\+\+nr % MN_LOOKS == 0/false/'
interval "what a start calls is not said" o5_removed_in_the_callback \
	's/^\trange->tracked.calls = MN_CALLING;/\t;/'
interval "what a start calls is said after the marks" o4_what_is_removed_in_mid_mark_is_called \
	'/^int mmu_tracker_hit/,/^}/{
		s/^\trange->tracked.calls = MN_CALLING;/\t;/
	}
	/^static noinline int mn_call_many/,/^}/{
		s/^\tif \(tracker->kinds \& MMU_TRACKER_CALL\)/\
	((struct mmu_notifier_range *)range)->tracked.calls = MN_CALLING;\
&/
	}'
interval "remove does not wait for its callback" o2_remove_waits_for_its_callback \
	'/^mn_remove\(/,/^}/s/mn_callers\(tracker, interval_sub\)/0/'
interval "remove waits for starts that do not hit" o5_removed_at_once_if_it_is_not_called \
	'/^mn_callers/,/^}/s/mn_hits_sub\(range, interval_sub\)/true/'
interval "remove waits for starts that came before the insertion" \
	o5_removed_at_once_if_it_is_not_called \
	'/^mn_callers/,/^}/{
		s/mn_keeps_sub\(range, interval_sub\)/true/
	}'
interval "remove waits for starts that make no calls" o2_remove_does_not_wait_for_an_end \
	'/^mn_callers/,/^}/s/if \(range->tracked.calls[^\&]*\&\&/if (/'
interval "remove waits for one of those that call" o5_removed_while_two_call_it \
	'/^mn_callers/,/^}/s/nr\+\+;/nr = 1;/'
interval "a second removal counts the callers again" o5_removed_twice \
	'/^mn_remove\(/,/^}/s/interval_sub->removed != U64_MAX/false/'
interval "a second removal releases, too" o5_removed_twice \
	's/^\tint ret = -EALREADY;/\tint ret = 1;/'
interval "a second removal takes over who waits" o2_remove_waits_for_its_callback \
	'/^mn_remove\(/,/^}/{
		s/^\tif \(interval_sub->removed/\tinterval_sub->done = removed;\
&/
	}'
interval "a second removal takes over the release" o2_remove_waits_for_its_callback \
	'/^mn_remove\(/,/^}/{
		s/^\t\tgoto out;/\t\t({ interval_sub->release = release; goto out; });/
	}'
interval "what is removed later is not counted" o5_removed_in_the_callback \
	'/^static noinline void mn_remove_later/,/^}/s/^\ttracker->nr_removing\+\+;/\t;/'
interval "what is gone is counted still" o5_removed_in_the_callback \
	'/^static unsigned int mn_collect_removed/,/^}/s/^\t\ttracker->nr_removing--;/\t\t;/'

interval "to fail to record is to insert" errno_of_the_first_insert \
	'/^int mmu_interval_notifier_insert\(/,/^}/s/if \(ret\)/if (false)/'
interval "to fail to record is to insert, under the lock" errno_of_the_first_insert \
	'/^int mmu_interval_notifier_insert_locked\(/,/^}/s/if \(ret\)/if (false)/'
interval "the first one takes the mmap lock that is held" errno_of_the_first_insert \
	'/^int mmu_interval_notifier_insert_locked\(/,/^}/{
		s/__mmu_notifier_register/mmu_notifier_register/
	}'
interval "a mm without users is inserted into" errno_of_the_first_insert \
	'/^int mmu_interval_notifier_insert\(/,/^}/s/WARN_ON\(atomic_read.* <= 0\)/false/'
interval "a mm without users is inserted into, under the lock" errno_of_the_first_insert \
	'/^int mmu_interval_notifier_insert_locked\(/,/^}/s/WARN_ON\(atomic_read.* <= 0\)/false/'
tracker "what is taken out looks as if it were inserted" o5_removed_twice_at_once \
	'/^static inline void mmu_tracker_erase/,/^}/s/^\tinterval_sub->removed = 0;/\t;/'
interval "who may call it is counted before the hold in which it goes" \
	o5_a_start_at_each_moment_of_a_removal \
	'/^mn_remove\(/,/^}/s/^\tret = !callers;/\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
&/'
interval "what is called last is said when the lock is dropped" \
	o5_released_before_the_removal_returns \
	'/^mn_remove\(/,/^}/{
		s/^\tinterval_sub->release = release;//
		s/^\tspin_unlock.*/&\
	if (ret != -EALREADY)\
		interval_sub->release = release;/
	}'
interval "a second removal that waits says that it is the first" t16_unregistered_is_invalid \
	'/^mn_remove_and_wait\(/,/^}/s/return false;/return true;/'

# The calls of a start are over.
interval "the first of its callers releases" o5_removed_while_two_call_it \
	'/^static unsigned int mn_collect_removed/,/^}/{
		s/--interval_sub->callers\)/(--interval_sub->callers, false))/
	}'
interval "one that does not call it releases" o5_removed_while_two_call_it \
	'/^static unsigned int mn_collect_removed/,/^}/{
		s/!mn_keeps_sub\(range, interval_sub\) \|\|/false ||/
	}'
interval "what is removed too late is counted down" o5_removed_by_a_release_while_another_calls_it \
	'/^static unsigned int mn_collect_removed/,/^}/{
		s/interval_sub->removed > limit/interval_sub->removed == U64_MAX/
	}'
interval "what is not removed is taken out" o5_removed_while_two_call_it \
	'/^static unsigned int mn_collect_removed/,/^}/{
		s/interval_sub->removed > limit/interval_sub->removed != U64_MAX \&\& &/
	}'
interval "more are released than there is room for" o5_all_removed_in_one_callback \
	'/^static unsigned int mn_collect_removed/,/^}/s/nr < MN_CALLS \&\&/true \&\&/'
interval "all are looked at in one hold, to be released" no_hold_of_the_lock_is_long \
	'/^static unsigned int mn_collect_removed/,/^}/s/ \&\& seen < MN_LOOKS//'
interval "what is released stays in the tree" o5_removed_in_the_callback \
	'/^static unsigned int mn_collect_removed/,/^}/s/^\t\tmmu_tracker_erase\(.*/\t\t;/'
interval "a start that releases still calls" o5_removed_by_a_release \
	's/^\trange->tracked.calls = MN_RELEASES;/\t;/'
interval "a start that releases is through" o2_a_start_waits_for_releases \
	's/^\trange->tracked.calls = MN_RELEASES;/\trange->tracked.calls = MN_CALLS_NONE;/'
interval "a start that releases is waited for by who removes" o5_removed_by_a_release \
	'/^mn_callers/,/^}/{
		s/range->tracked.calls == MN_CALLING/range->tracked.calls/
	}'
interval "a start that has released still does" o2_a_start_waits_for_a_removal \
	's/^\trange->tracked.calls = MN_CALLS_NONE;/\t;/'
interval "calls that are over wake nobody" o2_a_start_waits_after_its_own_calls \
	'/^static void mn_calls_are_over/,/^}/s/mn_passed\(tracker, range, true\);/;/'
interval "what is released keeps the mm" o5_removed_in_the_callback \
	'/^static void mn_released/,/^}/s/mmdrop\(mm\);/(void)mm;/'

# A start after a removal.
interval "a start does not wait for removals" o2_remove_waits_for_its_callback \
	'/^int mmu_tracker_hit/,/^}/s/mn_wait_for_removals\(tracker, range\)/0/'
interval "a start waits before its own calls are over" o2_a_start_waits_after_its_own_calls \
	'/^int mmu_tracker_hit/,/^}/{
		s/^\tmn_calls_are_over\(.*//
		s/^\t\terr = mn_wait_for_removals.*/&\
	mn_calls_are_over(tracker, range);/
	}'
interval "a start waits for one removal" o2_a_start_waits_for_each_removal \
	'/^static noinline int mn_wait_for_removals/,/^}/s/^\t\tmn_cursor_resume\(.*/&\
		break;/'
interval "a start waits for the calls of the first page" o2_a_start_waits_for_calls_elsewhere \
	's/waiter.last = interval_sub->interval_tree.last;/waiter.last = waiter.start;/'
interval "a start waits for the calls of the last page" o2_a_start_waits_for_calls_elsewhere \
	's/waiter.start = interval_sub->interval_tree.start;/\
		waiter.start = interval_sub->interval_tree.last;/'
interval "a start that is killed does not sleep" o2_a_start_waits_though_it_is_killed \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/MAX_SCHEDULE_TIMEOUT, false/MAX_SCHEDULE_TIMEOUT, true/
	}'
interval "what is released next has left the tree" a_range_goes_at_each_moment \
	'/^static noinline void mn_release_removed/,/^}/s/mn_cursor_(park|resume)\(.*/;/'
interval "a start that must not block waits for removals" o5_removed_while_two_call_it \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/!mmu_notifier_range_blockable\(range\)/false/
	}'
interval "a start waits for those it calls with others" o5_removed_while_two_call_it \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/removed >= range->tracked.seq/removed == U64_MAX/
	}'
interval "a start waits for what is not removed" o5_removed_while_two_call_it \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/interval_sub->removed >= range->tracked.seq/false/
	}'
interval "all are looked at in one hold, for removals" no_hold_of_the_lock_is_long_for_removals \
	'/^static noinline int mn_wait_for_removals/,/^}/s/\+\+nr % MN_LOOKS == 0/false/'
interval "a start waits for all that call" o2_a_start_waits_for_a_removal \
	's/waiter.seq = interval_sub->removed;/waiter.seq = tracker->seq;/'
interval "a start waits for the calls of no other place" o2_a_start_waits_for_each_removal \
	's/waiter.start = interval_sub->interval_tree.start;/waiter.start = range->end;/'
interval "reclaim in a callback waits for the callback" o2_removed_before_reclaim_in_a_callback \
	'/^static noinline int mn_wait_for_removals/,/^}/{
		s/mn_is_kept_for\(range, interval_sub\)/false/
	}'
interval "reclaim in a callback does not call what is removed" \
	o2_removed_before_reclaim_in_a_callback \
	'/^static bool mn_calls_sub/,/^}/s/mn_is_kept_for\(range, interval_sub\)/false/'
interval "reclaim in a callback lets go what it calls" \
	o2_removed_before_reclaim_in_a_callback_of_many \
	'/^static unsigned int mn_collect_removed/,/^}/s/!mn_keeps_sub\(/!mn_calls_sub(/'
interval "what any task keeps is called" o5_removed_while_two_call_it \
	'/^mn_is_kept_for/,/^}/s/object_is_on_stack\(outer\)/true/'
interval "what is kept for an inner start is what it hits" \
	o2_reclaim_in_a_callback_waits_for_others \
	'/^mn_is_kept_for/,/^}/s/mn_hits_sub\(outer, interval_sub\)/true/'
interval "what came within the callback is kept for reclaim" \
	o2_reclaim_in_a_callback_waits_for_others \
	'/^mn_is_kept_for/,/^}/s/mn_keeps_sub\(outer, interval_sub\)/true/'
interval "what is kept after the calls is called" \
	o2_reclaim_after_the_calls_waits_for_others \
	'/^mn_is_kept_for/,/^}/s/outer->tracked.calls == MN_CALLING/true/'
interval "who waits for a removal waits for starts before the insertion" \
	o2_reclaim_in_a_callback_waits_for_others \
	's/range->tracked.seq > waiter->after/true/'
interval "what is called is released before the second pass" o5_removed_in_the_callback \
	'/^static void mn_finish/i\
static void mn_calls_are_over(struct mmu_tracker *tracker,\
			      struct mmu_notifier_range *range);
	/^int mmu_tracker_hit/,/^}/s/^\tif \(!llist_empty\(/\tmn_calls_are_over(tracker, range);\
&/'
interval "the second pass is in the order of last in" o4_two_passes \
	's/llist_reverse_order\((__llist_del_all\(finish_passes\))\)/\1/'
interval "there is no second pass" o4_two_passes \
	'/^int mmu_tracker_hit/,/^}/s/if \(!llist_empty\(\&finish_passes\)\)/if (false)/'
interval "a failure skips the second pass" o4_a_failure_finishes_what_was_begun \
	'/^int mmu_tracker_hit/,/^}/s/if \(!llist_empty\(/if (!err \&\& !llist_empty(/'
interval "a failure does not spare who comes next" o4_a_failure_ends_the_calls \
	'/^static int mn_call_few/,/^}/s/nr \&\& !err/nr/'
interval "a failure is lost while something is being removed" o4_a_failure_beside_a_removal \
	'/^int mmu_tracker_hit/,/^}/s/!err \&\& unlikely/unlikely/'
interval "one that may block is refused" o4_a_refusal_has_no_effect \
	's/if \(done \|\| WARN_ON\(mmu_notifier_range_blockable\(range\)\)\)/if (done)/'
interval "what is finished is looked at again" o4_two_passes \
	'/^static void mn_finish/,/^}/{
		s/^\t\tnext = node->next;//
		s/node = next\)/node = node->next)/
	}'
interval "the second pass is made with the lock held" o4_two_passes \
	'/^int mmu_tracker_hit/,/^}/{
		/llist_empty/,/^\t}/s/^\t\tspin_(un)?lock.*//
	}'
interval "a failure of an interval notifier does not spare ranges" t5_an_interval_notifier_refuses \
	'/^static int mn_mark_and_call/,/^}/s/!err \&\& kinds/kinds/'
interval "a failure of an interval notifier does not spare many ranges" \
	t5_an_interval_notifier_refuses_many \
	'/^static noinline int mn_call_many/,/^}/s/!err \&\& tracker->kinds/tracker->kinds/'
interval "a second pass that nobody has asked for is made" o4_a_failure_finishes_what_was_begun \
	'/^mn_call\(/,/^}/s/if \(done \&\& finish\)/if (true)/'
interval "a failure goes on" o4_a_failure_finishes_what_was_begun \
	'/^mn_call\(/,/^}/s/return -EAGAIN;/return 0;/'
interval "callbacks come before the marks" o4_marks_come_before_calls \
	'/^static int mn_mark_and_call/,/^}/{
		s/^\tunsigned int nr;/\tstruct interval_tree_node *start = node;\
&/
		s/^\tspin_lock\(.*/&\
	mn_mark_all(tracker, range, start, false);/
	}
	/^static unsigned int mn_mark_few/,/^}/s/if \(interval_sub->kinds.*\)/if (false)/'
interval "callbacks come before the marks of many" o4_marks_come_before_calls_of_many \
	'/^static noinline int mn_call_many/,/^}/{
		s/^\t\tmn_mark_all\(.*/\t\t;/
		s/^\treturn err;/\tmn_mark_all(tracker, range, node, false);\
&/
	}'
interval "ranges are called before interval notifiers" t16_after_marks_and_interval_notifiers \
	'/^static int mn_mark_and_call/,/^}/{
		s/MMU_TRACKER_CALL_LATER/MN_NONE/g
		s/MMU_TRACKER_CALL\b/MMU_TRACKER_CALL_LATER/g
		s/MN_NONE/MMU_TRACKER_CALL/g
	}'
interval "many ranges are called before interval notifiers" \
	t16_after_marks_and_interval_notifiers_of_many \
	'/^static noinline int mn_call_many/,/^}/{
		s/MMU_TRACKER_CALL_LATER/MN_NONE/g
		s/MMU_TRACKER_CALL\b/MMU_TRACKER_CALL_LATER/g
		s/MN_NONE/MMU_TRACKER_CALL/g
	}'
interval "async: released though it is called" o5_removed_in_the_callback \
	'/^void mmu_tracker_remove_async/,/^}/s/ > 0\)/ >= 0)/'
interval "async: not released at once" o5_removed_at_once_if_nothing_runs \
	'/^void mmu_tracker_remove_async/,/^}/s/mn_released\(interval_sub\);/;/'
interval "remove does not drop the mm" o2_remove_does_not_wait_for_an_end \
	's/^\t\tmmdrop\(interval_sub->mm\);/\t\t;/'
interval "async: not released" o5_removed_in_the_callback \
	'/^static noinline void mn_release_removed/,/^}/s/mn_released\(subs\[i\]\);/;/'
interval "a module does not wait for releases" o5_synchronize \
	's/WRITE_ONCE\(mn_leaves_release, true\);/;/'
interval "a module waits though nothing was left" o5_synchronize \
	's/if \(READ_ONCE\(mn_leaves_release\)\)/if (true)/'
interval "a removal that waits leaves a release" o2_remove_waits_for_its_callback \
	'/^static noinline void mn_remove_later/,/^}/s/^\telse$/\t;/'
interval "a module is told of releases when it is too late" o5_synchronize_at_once \
	'/^static noinline void mn_remove_later/,/^}/{
		s/^\telse$//
		s/^\t\tWRITE_ONCE\(mn_leaves_release, true\);//
	}
	/^mn_remove\(/,/^}/s/^\tspin_unlock.*/&\
	if (!ret)\
		WRITE_ONCE(mn_leaves_release, true);/'
interval "releases come when it is too late for who waits" o5_synchronize \
	'/^int mmu_tracker_hit/,/^}/{
		s/^\tid = srcu_read_lock.*/\tid = 0;/
		s/^\tsrcu_read_unlock.*/\t;/
	}'
interval "a limit in time is none" o5_a_limit_in_time \
	's/timeout \?: MAX_SCHEDULE_TIMEOUT/MAX_SCHEDULE_TIMEOUT/'
interval "no limit in time is 0" o5_a_limit_in_time \
	's/timeout \?: MAX_SCHEDULE_TIMEOUT/timeout/'
public "numbers go back" o3_numbers_do_not_go_back \
	'/^mmu_interval_set_seq/,/^}/s/^\tif \(BITS_PER_LONG.*/\tif (true)/'
public "no number is set" o3_numbers_do_not_go_back \
	'/^mmu_interval_set_seq/,/^}/s/^\t\tWRITE_ONCE\(.*/\t\t;/'
public "it was never hit" o1_waits_once \
	'/^mmu_interval_read_retry/,/^}/s/interval_sub->invalidate_seq != seq/false/'
public "it was hit by older ones only" o1_waits_once \
	'/^mmu_interval_read_retry/,/^}/{
		s/interval_sub->invalidate_seq != seq/(long)(interval_sub->invalidate_seq -\
		      seq) < 0/
	}'
public "it is always of use to go on" o1_waits_once \
	'/^mmu_interval_check_retry/,/^}/s/READ_ONCE\(.*\) != seq/false/'

# Ranges with callbacks.
range "called with what is not registered" t16_called_with_what_was_hit \
	's/max\(invalidation->start, node->start\)/invalidation->start/'
range "called beyond what is registered" t16_called_with_what_was_hit \
	's/min\(invalidation->end, node->last \+ 1\)/invalidation->end/'
range "called for own ones" t16_own_events \
	's/range->tracking.flags \& HMM_RANGE_OWN_EVENTS \|\|/true ||/'
range "not called for own ones that are asked for" t16_own_events \
	's/range->tracking.flags \& HMM_RANGE_OWN_EVENTS \|\|/false ||/'
range "a refusal is lost" t5_a_callback_refuses \
	'/^static bool hmm_range_call\(/,/^}/{
		s/range->tracking.ops->invalidate\(/(&/
		s/hit.end\);/hit.end), true);/
	}'
range "a refusal of two passes is lost" t5_a_callback_refuses \
	'/^static bool hmm_range_call_start/,/^}/s/return false;/return true;/'
range "not to be told of two passes is to refuse" t16_own_events \
	'/^static bool hmm_range_call_start/,/^}/{
		/hmm_range_clip/{
			n
			s/true/false/
		}
	}'
range "unregister leaves a range with callbacks valid" t16_unregistered_is_invalid \
	'/^void hmm_range_unregister\(/,/^}/{
		/tracking.ops\)/,/return;/s/WRITE_ONCE\(range->tracking.valid, false\);/;/
	}'
range "unregister_async leaves the range valid" t16_unregistered_is_invalid \
	'/^void hmm_range_unregister_async/,/^}/s/WRITE_ONCE\(range->tracking.valid, false\);/;/'
range "unregister takes a range with callbacks out before it invalidates" \
	t16_hit_at_each_moment_of_unregister \
	'/^void hmm_range_unregister\(/,/^}/{
		/tracking.ops\)/,/return;/{
			s/WRITE_ONCE\(range->tracking.valid, false\);//
			s/^\t\t\thmm_range_disown/\t\t\tWRITE_ONCE(range->tracking.valid, false),\
&/
		}
	}'
range "unregister_async takes a range out before it invalidates" \
	t16_hit_at_each_moment_of_unregister \
	'/^void hmm_range_unregister_async/,/^}/{
		s/^\tWRITE_ONCE.*//
		s/^\t+hmm_range_released\);/&\
	WRITE_ONCE(range->tracking.valid, false);/
	}'
range "no second pass is one" t16_one_of_two_passes \
	'/^static bool hmm_range_call_start/,/^}/s/if \(second\)/if (true)/'
range "a range with callbacks is not disowned" t16_unregistered_is_invalid \
	'/^void hmm_range_unregister\(/,/^}/{
		s/if \((mmu_tracker_remove.*)\)$/if (!\1)/
	}'
range "a range is released before it is disowned" t16_released_is_left_alone \
	'/^static void hmm_range_released/,/^}/{
		s/^\thmm_range_disown.*//
		s/^\trange->tracking.ops->release.*/&\
	hmm_range_disown(range);/
	}'
range "what is released is registered still" t16_unregistered_in_the_callback \
	'/^static void hmm_range_released/,/^}/s/hmm_range_disown\(range\);/;/'
range "a range goes though nobody is told" t16_no_release \
	's/WARN_ON_ONCE\(!ops \|\| !ops->release\)/false/'
range "a second pass may come alone" errno_of_ops \
	's/!ops->invalidate_start == !ops->invalidate_finish/\
			(!ops->invalidate_start || ops->invalidate_finish)/'
range "a number is of what is walked" begin_seq_has_a_number_for_each \
	'/^unsigned long hmm_range_begin_seq/,/^}/{
		s/node->start, node->last/range->start, range->end - 1/
	}'
range "a number is given in the middle of one" begin_seq_has_a_number_for_each \
	's/if \(!mmu_tracker_readable\(tracker, node->start, node->last\)\)/if (true)/'
range "what is 0 is unchanged" begin_seq_has_a_number_for_each \
	's/return seq \& 1 \&\&/return/'

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
		{ tracking->sub.interval_tree.start, tracking->sub.interval_tree.last + 1 };/'
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
	'/^static int hmm_walk_begin/,/^}/s/!atomic_read\(\&tracking->sub.mm->mm_users\)/false/'
claim "an unstable mm is walked" t7_walk_fails_when_the_mm_is_unstable \
	's/check_stable_address_space\(tracking->sub.mm\)/false/'
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
	'/^static int hmm_walk_claim/,/^}/s/return tracker->dying \? -EFAULT : 0/return 0/'
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
	'/^static bool hmm_walk_again/,/^}/s/else if \(tracker->dying\)/else if (false)/'
claim "a walk that was hit does not see that the mm dies" \
	t7_a_walk_that_is_hit_fails_when_the_mm_dies \
	's/else if \(tracker->dying\)/else if (tracker->dying \&\& !tracking->dirty.nr)/'
claim "a walk becomes valid later than it looks at the notes" t13_one_invalidation_in_each_order \
	'/^static bool hmm_walk_again/,/^}/{
		s/^(\t+)smp_store_release/\1spin_unlock(\&tracker->lock);\
\1spin_lock(\&tracker->lock);\
\1smp_store_release/
	}'
claim "a claim is made later than the look at the list" t13_one_invalidation_in_each_order \
	'/^static int hmm_walk_claim/,/^}/{
		s/^\ttracking->unclaimed =/\tspin_unlock(\&tracker->lock);\
	spin_lock(\&tracker->lock);\
&/
	}'
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

# Link a program of the copies. A file includes the header that lies beside it, and
# the public one from where it is looked for first.
build()
{
	make --no-print-directory build OUTPUT="$work" MM="$work/mm" \
		EXTRA_CFLAGS="-w -I$work/include" >"$work/log" 2>&1
}

run() { SEED=1 "$work/hmm-range-test" "$@" >>"$work/log" 2>&1; }

# Put FILE back, or all of them, and what was built of it. The old times are
# kept, so that make builds again what the next mutant changes, and only that.
restore()
{
	local file

	for file in ${1:-$files}; do
		cp -p "$root/$file" "$work/$file"
	done
	[ ! -d "$work/good" ] || cp -p "$work/good/"*.o "$work/"
}

# Say in one line what has become of mutant NUMBER.
try()
{
	local source=$root/${sources[$1]} copy=$work/${sources[$1]}
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
	mkdir -p "$work/mm" "$work/include/linux"
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
