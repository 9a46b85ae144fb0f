# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/hmm_dma.c.  Sourced by mutants.sh.

dma() { mutant mm/hmm_dma.c "$@"; }
