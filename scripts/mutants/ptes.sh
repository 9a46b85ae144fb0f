# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_ptes.c, which goes through a page table, and of mm/hmm_pte_kind.c, which tells
# PTEs apart.  Sourced by mutants.sh.

ptes() { mutant mm/hmm_ptes.c "$@"; }
kind() { mutant mm/hmm_pte_kind.c "$@"; }

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
