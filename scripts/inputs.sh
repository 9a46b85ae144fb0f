#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print a digest of what the result of a suite follows from:
#	inputs.sh SUITE		what lies here: our files, and which base they go onto
#	inputs.sh --built SUITE	what it has become and is run by: the patched tree,
#				compilers and other tools, the accelerator
# For a suite that any change of ours may break, which is most of them, print
# nothing: it is always run.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"
export LC_ALL=C
arches=(x86)	# that it compiles for

what=sources
if [ "$1" = --built ]; then
	what=built
	shift
fi

case ${1:?which suite} in
# The workbench itself, and reports of how a range is registered
detectors)	paths=(Kconfig include patches series mm/hmm_range.c mm/hmm_internal.h) ;;
# They see our headers, not our code.
drivers)	paths=(Kconfig include patches series) ;;
# Programs that no device takes part in: of HMM they reach the notifiers only.
mm-*)		paths=(Kconfig include patches series mm/hmm_range.c mm/hmm_internal.h) ;;
# One file of the series is on trial.
dma)		paths=(Kconfig include patches series mm/hmm_dma.c mm/hmm_array.h mm/tests/hmm_dma_edu_kunit.c) ;;
# Nothing of the kernel
model)		paths=(tools/testing/hmm/Makefile tools/testing/hmm/model) ;;
# The kernel's side of the series, but no programs
arches)		paths=(Kconfig include lib mm patches samples series)
		for config in "$root"/configs/arch/*.config; do
			arches+=("$(arch_of "$(basename "$config" .config)")")
		done ;;
arm64-*)	paths=(Kconfig include lib mm patches samples series) arches=(arm64) ;;
*)		exit 0 ;;
esac

# What the series has put into the kernel, but for whole files that this suite does not depend on
patched()
{
	local file path wanted

	[ -e "$out/patched.files" ] || return 0
	while read -r file; do
		wanted=1
		[ ! -e "$root/$file" ] || wanted=0
		for path in "${paths[@]}"; do
			[[ $file/ != "$path"/* ]] || wanted=1
		done
		[ $wanted = 0 ] || echo "$out/patched/$file"
	done <"$out/patched.files" | xargs -r sha256sum 2>&1 || :
}

# Tools that are not there yet say so.
tools()
{
	local arch cross image

	for arch in "${arches[@]}"; do
		cross=$(cross_of "$arch")
		"${cross}gcc" --version
		"${cross}ld" --version
	done
	make --version
	getconf GNU_LIBC_VERSION
	sparse --version
	[[ ${paths[*]} != *hmm/model* ]] || spin -V
	qemu-system-x86_64 --version
	[[ " ${arches[*]} " != *" arm64 "* ]] || qemu-system-aarch64 --version
	sha256sum "$("$root/scripts/busybox.sh" x86)"
	for image in "$out"/build/*/arch/x86/boot/bzImage; do
		[ ! -e "$image" ] || { "$root/scripts/accel.sh" "$image"; break; }
	done
}

{
	if [ $what = sources ]; then
		cat "$out/base.origin"
		echo "${WITHOUT:-}"
		cd "$root"
		find Makefile configs scripts "${paths[@]}" -type f ! -name '*.pyc' | sort | xargs sha256sum
	else
		patched
		tools 2>&1 || :
	fi
} | sha256sum
