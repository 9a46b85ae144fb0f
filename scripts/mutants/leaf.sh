# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_leaf.[ch], what a leaf becomes, and of mm/hmm_array.[ch], how it is written.
# Sourced by mutants.sh.

leaf() { mutant mm/hmm_leaf.c "$@"; }
plain() { mutant mm/hmm_leaf.h "$@"; }
array() { mutant mm/hmm_array.c "$@"; }
entry() { mutant mm/hmm_array.h "$@"; }

# Above
leaf "hugetlb that is protected is a page" hmm_walk.walk_snapshot \
	'/^unsigned long hmm_pfn_from_hugetlb/,/^}/s/if \(pte_protnone\(pte\)\)/if (false)/'

# The array
array "a block is known by its first entry" hmm_edge.a_block_is_more_than_its_first_entry \
	'/^static __always_inline bool hmm_block_is/,/^}/s/i < HMM_BLOCK/i < 1/'
array "errors are not written over holes" hmm_edge.errors_take_the_place_of_holes \
	's/if \(bits \| new\)/if (bits)/'
