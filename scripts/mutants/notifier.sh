# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of what the series does to mm/mmu_notifier.c: who is told first, and what is taken back.
# Sourced by mutants.sh.

notifier() { mutant mm/mmu_notifier.c "$@"; }

notifier "a start that is refused is taken back although its end comes" \
	hmm_range.t5_a_blocking_one_is_refused \
	's/if \(ret \&\& !mmu_notifier_range_blockable\(range\)\) \{/if (ret) {/'
notifier "those that started are not told of the end" \
	hmm_range.t5_those_that_started_are_told_of_the_end \
	'/^static int mn_hlist_invalidate_range_start/,/^}/s/^\tif \(ret\) \{/\tif (false) {/'
