# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_dma.c.  Sourced by mutants.sh.

dma() { mutant mm/hmm_dma.c "$@"; }

# Unmapping
dma "nothing is widened to something" hmm_dma_leaf.leaf_nothing_is_widened \
	's/ \|\| !\*nr_entries\)/)/'

# Segments
dma "what a walk has not found is in a segment" hmm_dma_leaf.segments_are_valid \
	's/(hmm_dma_mapped\(map, idx\) != HMM_DMA_UNMAPPED) \&\&$/\1 ||/'
