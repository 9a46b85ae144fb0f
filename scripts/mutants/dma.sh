# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_dma.c.  Sourced by mutants.sh.

dma() { mutant mm/hmm_dma.c "$@"; }

# Entries
dma "what was not synchronised stays" hmm_dma_iova.iova_sync_fails \
	'/^static __always_inline int hmm_dma_link/,/^}/s/if \(unlikely\(ret\)\)/if (false)/'

# Unmapping
dma "the last of the entries keeps its bits" hmm_dma_iova.iova_range \
	'/^static void hmm_dma_clear_bits/,/^}/s/i < n; i\+\+/i < n - 1; i++/'
dma "what is widened ends a page too late" hmm_dma_leaf.leaf_random_whole \
	's/last \+= pages - 1 - hmm_dma_leaf_offset/last += pages - hmm_dma_leaf_offset/'
dma "nothing is widened to something" hmm_dma_leaf.leaf_nothing_is_widened \
	's/ \|\| !\*nr_entries\)/)/'

# Ranges
dma "a leaf is larger than what is linked" hmm_dma_leaf.leaf_random_whole \
	's/GENMASK\(__fls\(nr << PAGE_SHIFT\), 0\)/GENMASK(__fls(nr << PAGE_SHIFT) + 1, 0)/'
dma "a link holds a leaf wholly" hmm_dma_leaf.leaf_random \
	's/^\t\tleft \+= PAGE_SIZE;/\t\tleft += size;/'
dma "what is new stays so" hmm_dma_leaf.leaf_fails \
	's/map->mapped\[idx\] \& ~HMM_DMA_NEW, n/map->mapped[idx], n/'

# Segments
dma "what a walk has not found is in a segment" hmm_dma_leaf.segments_are_valid \
	's/(hmm_dma_mapped\(map, idx\) != HMM_DMA_UNMAPPED) \&\&$/\1 ||/'
