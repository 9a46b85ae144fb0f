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
