# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of what the series does to mm/mmu_notifier.c: who is told first, and what is taken back.
# Sourced by mutants.sh.

notifier() { mutant mm/mmu_notifier.c "$@"; }
