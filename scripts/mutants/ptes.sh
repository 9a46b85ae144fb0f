# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_ptes.c, which goes through a page table, and of mm/hmm_pte_kind.c, which tells
# PTEs apart.  Sourced by mutants.sh.

ptes() { mutant mm/hmm_ptes.c "$@"; }
kind() { mutant mm/hmm_pte_kind.c "$@"; }

# Batches of faults
ptes "a batch ends a page too late" hmm_fault.fault_missing_only \
	'/^hmm_ptes_that_are/,/^}/s/while \(i < nr \&\& so/while (i <= nr \&\& so/'

# Device private pages
ptes "a private page is what it was before its lock" \
	hmm_private.own_page_that_changes_under_the_walk \
	's/same = pte_same\(ptep_get\(ptep\), pte\);/same = true;/'
ptes "whose a page was is known in the next table" hmm_private.owner_that_changes_with_a_fault \
	's/walk->private.nr = 0;/;/'

# Kinds that are known
ptes "a pfn behind the last is one" hmm_edge.a_pfn_without_memory_is_an_error \
	's/likely\(pfn < kinds\[0\].nr\)/likely(pfn <= kinds[0].nr)/'
ptes "a pfn behind the last is one among four" hmm_edge.a_pfn_without_memory_is_an_error \
	's/unlikely\(new\[k\] >= kind->nr\)/unlikely(new[k] > kind->nr)/'
ptes "four at once lose their sticky bits" hmm_edge.sticky_bits_stay_among_many \
	's/unlikely\(bits \& HMM_PFN_STICKY\)/unlikely(bits \& 0)/'
ptes "four at once go beyond the end" hmm_edge.fours_end_with_the_window \
	's/while \(i \+ HMM_PTES <= nr \&\&$/while (i < nr \&\&/'
kind "any difference is one of pfns" hmm_kind.kinds_in_pairs \
	's/kind->nr = min\(highest_memmap_pfn \+ 1,/kind->nr = max(ULONG_MAX,/'
kind "the highest pfn has one above" hmm_edge.a_pfn_without_memory_is_an_error \
	's/min\(highest_memmap_pfn \+ 1,/min(highest_memmap_pfn + 2,/'
kind "a device's pages have their pfn, whoever it belongs to" \
	hmm_private.a_page_behind_those_of_another \
	's/kind->reported = new \? ~0UL : 0;/kind->reported = ~0UL;/'
kind "all pages of devices are of one memory" hmm_private.a_page_behind_those_of_another \
	's/kind->nr = private->nr;/kind->nr = ~0UL;/'
