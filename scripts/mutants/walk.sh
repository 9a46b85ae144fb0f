# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_walk.c, which comes down to a page table, and mm/hmm_walk.h.
# Sourced by mutants.sh.

walk() { mutant mm/hmm_walk.c "$@"; }
step() { mutant mm/hmm_walk.h "$@"; }
