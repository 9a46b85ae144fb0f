# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_walk.c, which comes down to a page table, and mm/hmm_walk.h.
# Sourced by mutants.sh.

walk() { mutant mm/hmm_walk.c "$@"; }
step() { mutant mm/hmm_walk.h "$@"; }

# Between two parts
walk "a walk of PMDs cannot be killed" hmm_fault.fault_killed_between_pmds \
	'/^static enum hmm_step hmm_walk_pmds/,/^}/s/step = hmm_walk_pause\(walk\)/step = HMM_NEXT/'
walk "a walk of PUDs cannot be killed" hmm_fault.fault_killed_between_puds \
	'/^static enum hmm_step hmm_walk_puds/,/^}/s/step = hmm_walk_pause\(walk\)/step = HMM_NEXT/'
walk "a walk of vmas cannot be killed" hmm_fault.fault_killed_between_vmas \
	'/^int hmm_walk_claimed/,/^}/s/step = hmm_walk_pause\(walk\)/step = HMM_NEXT/'
walk "a walk of hugetlb cannot be killed" hmm_fault.fault_killed_between_hugetlb \
	'/^static enum hmm_step hmm_walk_hugetlb/,/^}/s/step = hmm_walk_pause\(walk\)/step = HMM_NEXT/'

# hugetlb
walk "faults of hugetlb go on where nothing is asked for" hmm_fault.fault_asked_only_hugetlb \
	's/if \(step == HMM_FAULT \&\& !walk->mask\)/if (step == HMM_FAULT)/'
walk "hugetlb is walked without its lock" hmm_hold.hold_invalidated_without_a_fault \
	'/^static enum hmm_step hmm_walk_hugetlb/,/^}/s/hugetlb_vma_(un)?lock_read\(vma\);/;/'

# vmas
walk "the vma behind the last one is taken for any other" hmm_retry.t8_hits_in_two_of_three_vmas \
	's/if \(!vma \|\| addr != vma->vm_end\)/if (!vma)/'
walk "what is behind a vma is a part of it" hmm_fault.fault_unasked_error \
	's/addr, min\(end, vma->vm_end\)\)/addr, end)/'

# Faults
walk "the next page of a batch is told of the one that was tried" \
	hmm_bound.t14_only_the_page_that_was_tried_is_told \
	's/flags \&= ~FAULT_FLAG_TRIED;/;/'
