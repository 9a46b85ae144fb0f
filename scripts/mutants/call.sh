# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm.c: the calls, their retries and their locks.  Sourced by mutants.sh.

call() { mutant mm/hmm.c "$@"; }

# A range with an interval notifier
call "a range within a page ends where it says" hmm_edge.legacy_range_within_a_page \
	's/walk->first \+ PAGE_ALIGN\(range->end - range->start\)/PAGE_ALIGN(range->end)/'
call "the number is looked at without a fault, too" hmm_hold.hold_invalidated_without_a_fault \
	's/if \(walk->faulted \&\&$/if (true \&\&/'
call "a number of a later fault makes up for an earlier one" \
	hmm_edge.legacy_range_is_spoilt_before_it_fails \
	's/^\t\t\tspoilt = true;/\t\t\tspoilt = !ret;/'
call "who was killed is told that it is busy" hmm_fault.fault_killed_and_invalidated \
	's/spoilt \&\& ret != -EINTR \?/spoilt ?/'

# With the lock of the caller
call "a refused call leaves what it was told" hmm_edge.t8_what_was_told_ends_with_the_call \
	'/^int hmm_range_fault_locked/,/^}/s/if \(!range->notifier\)$/if (false)/'

# Retries
call "to be stuck at one page and then at another is one thing" \
	hmm_bound.t14_pages_that_are_held_one_after_the_other \
	's/ \|\| walk->fault_start != retry->page\)/)/'
call "a page that was there for a moment was never" \
	hmm_bound.t14_a_dropped_lock_in_between_goes_on \
	's/if \(!walk->stuck \|\| walk->fault_start/if (walk->fault_start/'
call "who is always hit is stuck for ever" hmm_bound.t14_a_fault_that_invalidates_gives_up_legacy \
	's/ \|\| retry->stuck >= HMM_STUCK_LIMIT\)/)/'
call "each sleep is as short as the first" hmm_bound.t14_an_unlocked_call_gives_up \
	's/nap = retry->stuck \+ 1;/nap = 1;/'
call "what was read under the lock of the vma is lost" hmm_vma.t8_what_was_read_by_vma_is_kept \
	'/^static int hmm_fault_tracked_once/,/^}/s/^\tretry->told = true;/\t;/'
call "the lock of a vma that was refused is asked for again" hmm_vma.a_call_keeps_to_the_mmap_lock \
	'/^static int hmm_fault_tracked_once/,/^}/s/^\tretry->mmap = true;/\t;/'
call "a lock that was dropped is no progress" hmm_bound.t7_the_time_begins_anew_with_progress \
	's/\*dropped = !locked;/*dropped = false;/'
call "with a mask the lock of the vma is taken" hmm_vma.a_mask_needs_the_mmap_lock \
	's/retry->mmap = range->pfn_flags_mask;/retry->mmap = false;/'
call "with a mask it is walked again" hmm_edge.t13_output_is_no_request_unlocked \
	's/ret != -EBUSY \|\| range->pfn_flags_mask \|\|/ret != -EBUSY ||/'
call "a call that waits cannot be killed" hmm_edge.t8_what_was_told_ends_with_a_signal \
	'/^static int hmm_fault_tracked\(/,/^}/s/if \(fatal_signal_pending\(current\)\)/if (false)/'
call "the time of a commit begins anew" hmm_ops.commit_has_one_deadline_for_all_faults \
	's/if \(dropped \&\& !retry->in_all\)/if (dropped)/'
call "the last user is put here" hmm_vma.t12_the_last_user_is_put_elsewhere \
	'/^int hmm_range_fault_unlocked_timeout/,/^}/s/mmput_async\(mm\)/mmput(mm)/'

# Commits
call "the tries of a commit count from the first walk on" hmm_ops.commit_counts_anew_after_a_walk \
	'/^static int hmm_fault_and_commit/,/^}/s/^\t\t\ttries = 0;/\t\t\t;/'
call "a commit takes requests by page" hmm_ops.commit_errno \
	's/!hmm_range_tracker\(range\) \|\| range->pfn_flags_mask/!hmm_range_tracker(range)/'
