# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of what the series does to mm/mmu_notifier.c: who is told first, and what is taken back.
# Sourced by mutants.sh.

notifier() { mutant mm/mmu_notifier.c "$@"; }

notifier "plain notifiers are called before ranges are marked" \
	hmm_range.t2_marked_before_any_callback \
	'/^int __mmu_notifier_invalidate_range_start/,/^}/{
		s/^\tif \(subscriptions->has_tracker\)$/\tif (!hlist_empty(\&subscriptions->list))/
		s/ret = mmu_tracker_start\(.*/ret = mn_hlist_invalidate_range_start(subscriptions, range);/
		t
		s/if \(!ret \&\& !hlist_empty\(.*/if (!ret \&\& subscriptions->has_tracker)/
		s/mn_hlist_invalidate_range_start\(.*/mmu_tracker_start(\&subscriptions->tracker, range);/
	}'
notifier "plain ones are called after an interval notifier refused" \
	hmm_range.t5_an_interval_notifier_refuses \
	's/if \(!ret \&\& (!hlist_empty\(\&subscriptions->list\))\)/if (\1)/'
notifier "a start that is refused is not taken back" hmm_range.t5_a_plain_notifier_refuses \
	's/if \(ret \&\& !mmu_notifier_range_blockable\(range\)\) \{/if (false) {/'
notifier "a start that is refused is taken back although its end comes" \
	hmm_range.t5_a_blocking_one_is_refused \
	's/if \(ret \&\& !mmu_notifier_range_blockable\(range\)\) \{/if (ret) {/'
notifier "those that started are not told of the end" \
	hmm_range.t5_those_that_started_are_told_of_the_end \
	'/^static int mn_hlist_invalidate_range_start/,/^}/s/^\tif \(ret\) \{/\tif (false) {/'
notifier "the mm dies for plain notifiers first" hmm_range.t2_marked_before_any_release \
	'/^void __mmu_notifier_release/,/^}/{
		s/if \(subscriptions->has_tracker\)$/if (!hlist_empty(\&subscriptions->list))/
		s/mmu_tracker_release\(.*/mn_hlist_release(subscriptions, mm);/
		t
		s/if \(!hlist_empty\(.*/if (subscriptions->has_tracker)/
		s/mn_hlist_release\(.*/mmu_tracker_release(\&subscriptions->tracker, mm);/
	}'
notifier "releases that are due are not waited for" \
	mmu_interval_async.o5_synchronize_waits_for_the_release \
	's/^\tmmu_interval_synchronize\(\);/\t;/'
