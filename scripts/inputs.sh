#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print a digest of all that the result of a suite follows from: inputs.sh SUITE.
# For a suite that any change of ours may break, which is most of them, print
# nothing: it is always run.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"
export LC_ALL=C
arches=()	# that it compiles for, beside this machine's

case ${1:?which suite} in
# The workbench itself, and reports of how a range is registered
detectors)	paths=(Kconfig include patches series mm/hmm_range.c mm/hmm_internal.h) ;;
# They see our headers, not our code.
drivers)	paths=(Kconfig include patches series) ;;
# Programs that no device takes part in: of HMM they reach the notifiers only.
mm-debug)	paths=(Kconfig include patches series mm/hmm_range.c mm/hmm_internal.h) ;;
# One file of the series is on trial.
dma)		paths=(Kconfig include patches series mm/hmm_dma.c mm/hmm_array.h mm/tests/hmm_dma_edu_kunit.c) ;;
# The kernel's side of the series, but no programs
arches)		paths=(Kconfig include lib mm patches samples series)
		for config in "$root"/configs/arch/*.config; do
			arches+=("$(arch_of "$(basename "$config" .config)")")
		done ;;
arm64-*)	paths=(Kconfig include lib mm patches samples series) arches=(arm64) ;;
*)		exit 0 ;;
esac

cd "$root"
{
	gcc --version
	qemu-system-x86_64 --version
	# Of packages that are not there yet it says so.
	for arch in "${arches[@]}"; do
		arch_packages "$arch" | xargs -r dpkg-query -W 2>&1 || :
	done
	cat "$out/base.origin"
	echo "${WITHOUT:-}"
	find Makefile configs scripts "${paths[@]}" -type f ! -name '*.pyc' | sort | xargs sha256sum
} | sha256sum
