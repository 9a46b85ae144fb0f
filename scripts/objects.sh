#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compile single objects of configured kernels, each of them a test, with WERROR:
#	objects.sh drivers		every user of HMM in the tree, against the headers of the series, as an
#					allmodconfig.  A user that the list below lacks is an error.
#	objects.sh configs		what the series touches, and what includes the headers of MMU notifiers and
#					HMM, in configurations that each lack a feature: configs/objects.config with
#					one of configs/off/*.  Our own files get W=1 and sparse on top.
#	objects.sh arches [NAME]...	what the series touches for each architecture of configs/arch.  Those of which
#					there is a kernel to boot are compiled where that is built, so that it is done
#					once.  bisect is for bisect-series.sh: arm64, with the first patches.
# KTAP on standard output; the output of make goes to out/log/.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"
. "$(dirname "$0")/ktap.sh"
export LC_ALL=C		# for what is sorted

work=$(scratch)
trap 'rm -rf "$work"' EXIT

# prepare WHAT: what kbuild makes before it compiles the first object
prepare()
{
	kbuild -s -j"$(nproc)" prepare > "$work/prepare" 2>&1 ||
		{ tail -n 30 "$work/prepare" >&2; die "$1 cannot be prepared"; }
}

# The objects that kbuild would compile in DIR in this configuration: those of obj-y, or what they are linked from.
objects_of()
{
	# shellcheck disable=SC2016 # make expands that
	printf '%s\n' "include $build/include/config/auto.conf" "src := $1" "obj := $1" \
		"srctree := $out/$tree" "objtree := $build" "include $out/$tree/$1/Makefile" \
		'.PHONY: print-objects' \
		'parts = $(or $(strip $($(1:.o=-y)) $($(1:.o=-objs))),$1)' \
		'objects := $(foreach o,$(obj-y) $(obj-m),$(call parts,$o))' \
		'print-objects: ; @printf "%s\n" $(addprefix $(src)/,$(objects))' |
		make -s -f - print-objects
}

# select_objects < SOURCES: the objects of these files that this configuration has
select_objects()
{
	local dir

	sort -u > "$work/selected"
	sed 's|\(.*\)/.*|\1|' "$work/selected" | sort -u | while read -r dir; do
		[ -e "$out/$tree/$dir/Makefile" ] || continue
		objects_of "$dir"
	done | sort -u > "$work/enabled"
	sed 's|\.c$|.o|' "$work/selected" | sort -u | comm -12 - "$work/enabled"
}

# Show which object is compiled, and keep all that make says.
objects_progress()
{
	awk -v log_file="$1" -v total="$2" -v name="$3" '
		{ print > log_file }
		/^  CC .*\.o$/ && $NF !~ "^scripts/" { printf "# %s: [%d/%d] %s\n", name, ++n, total, $NF; fflush() }'
}

# objects_why LOG OBJECT: what make said about an object that failed, not more than 40 lines
objects_why()
{
	local source=${2%.o}.c

	if [ ! -e "$out/$tree/$source" ]; then
		echo "$source is not in this kernel"
	else
		sed "s|$out/$tree/||g" "$1" |
			grep -A 4 -F -e "${source##*/../}:" | grep -v -e '^make' -e '^  CC ' | head -n 40 || :
	fi
}

compile_objects()
{
	local name=$1 args=$2

	shift 2
	mkdir -p "$out/log"
	# shellcheck disable=SC2086 # a list of words
	kbuild -k -j"$(nproc)" $args "$@" 2>&1 | objects_progress "$out/log/$name.log" $# "$name"
}

# check_objects NAME "make arguments" OBJECT...: note for each whether it compiles without a warning; they are errors by
# WERROR.  The caller has made prepare.  After a failure only an object that did not exist before proves anything.
check_objects()
{
	local name=$1 object failed

	if ! compile_objects "$@"; then
		say "# $name: there are errors; compiling all of them anew"
		(cd "$build" && rm -f "${@:3}")
		compile_objects "$@" || :
	fi
	for object in "${@:3}"; do
		failed=0
		if [ ! -e "$build/$object" ] || [ ! -e "$out/$tree/${object%.o}.c" ]; then
			failed=1
			objects_why "$out/log/$name.log" "$object" > "$work/why"
		fi
		ktap_result "$name $object" $failed "$work/why"
	done
}

# What the series touches of the kernel itself
touched() { "$root/scripts/manifest.sh" touched | grep -v '^tools/' | grep '\.c$'; }

# Those that call HMM or read its pfns, then users of its users, and KVM for the growth of mmu_notifier_range.
# amdgpu and KVM reach some of their files by a path of their own.
users_of_hmm="
	drivers/accel/amdxdna/aie2_ctx.o
	drivers/accel/amdxdna/amdxdna_gem.o
	drivers/gpu/drm/amd/amdgpu/../amdkfd/kfd_svm.o
	drivers/gpu/drm/amd/amdgpu/amdgpu_cs.o
	drivers/gpu/drm/amd/amdgpu/amdgpu_hmm.o
	drivers/gpu/drm/amd/amdgpu/amdgpu_ttm.o
	drivers/gpu/drm/drm_gpusvm.o
	drivers/gpu/drm/nouveau/nouveau_svm.o
	drivers/hv/mshv_regions.o
	drivers/infiniband/core/umem_odp.o
	drivers/infiniband/hw/mlx5/odp.o
	drivers/infiniband/sw/rxe/rxe_odp.o
	samples/hmm/hmm_sample.o

	drivers/gpu/drm/amd/amdgpu/amdgpu_amdkfd_gpuvm.o
	drivers/gpu/drm/drm_pagemap.o
	drivers/gpu/drm/nouveau/nouveau_dmem.o
	drivers/gpu/drm/xe/xe_svm.o
	drivers/gpu/drm/xe/xe_userptr.o

	arch/x86/kvm/mmu/mmu.o
	arch/x86/kvm/../../../virt/kvm/kvm_main.o"

# Files of the tree that use HMM: all but HMM itself and its tests.
users()
{
	(cd "$out/$tree" && grep -rlE --include='*.c' '\bhmm_(range|dma|pfn)_[a-z_]+\(|\bHMM_PFN_' \
		arch block drivers fs io_uring kernel lib mm net samples security sound virt) |
		grep -v -e '^mm/hmm' -e '^mm/tests/hmm' -e '^lib/test_hmm'
}

listed()
{
	local object

	for object in $users_of_hmm; do
		realpath -m --relative-to=/ "/${object%.o}.c"
	done
}

check_list()
{
	comm -23 <(users | sort) <(listed | sort) > "$work/missing"
	[ -s "$work/missing" ] || return 0
	cat "$work/missing" >&2
	die "these files use HMM and are not in the list of scripts/objects.sh: add them"
}

check_drivers()
{
	tree=patched build=$out/build/drivers fragments=drivers config=allmodconfig
	check_list
	say "# drivers: configuring an allmodconfig"
	configure
	say "# drivers: preparing it"
	prepare "the kernel for the drivers"
	# shellcheck disable=SC2086 # a list of words
	check_objects drivers "" $users_of_hmm
}

touched_or_including()
{
	touched
	(cd "$out/$tree" &&
		grep -rlE --include='*.c' '#include <linux/(mmu_notifier|hmm|hmm-dma)\.h>' mm lib kernel fs)
}

own_args="W=1 KDOC_WERROR=1 C=1 CHECK=$root/scripts/sparse.sh CF=-Wsparse-error"

check_config()
{
	local name=$1 objects own others

	build=$out/build/configs/$name
	fragments="objects arch/x86 series kunit off/$name"
	say "# configs: $name off"
	configure
	prepare "the kernel without $name"
	objects=$(select_objects < "$work/sources")
	own=$(sed 's|\.c$|.o|' "$work/overlay" | sort | comm -12 - <(echo "$objects"))
	others=$(comm -23 <(echo "$objects") <(echo "$own"))
	# shellcheck disable=SC2086 # lists of words
	[ -z "$others" ] || check_objects "configs-$name" "" $others
	# shellcheck disable=SC2086
	[ -z "$own" ] || check_objects "configs-$name-own" "$own_args" $own
}

check_configs()
{
	local fragment

	tree=patched
	# With a sparse that does not do, kbuild would go on without.
	[ "$("$out/$tree/scripts/checker-valid.sh" "$root/scripts/sparse.sh")" = 1 ] ||
		die "this sparse cannot parse the kernel; packages: make deps"
	"$root/scripts/manifest.sh" overlay | grep -v '^tools/' | grep '\.c$' > "$work/overlay" || :
	touched_or_including | sort -u > "$work/sources"
	for fragment in "$root"/configs/off/*.config; do
		check_config "$(basename "$fragment" .config)"
	done
}

# The architectures that are not this machine's
arch_names()
{
	find "$root/configs/arch" -name '*.config' ! -name x86.config -printf '%f\n' | sed 's/\.config$//' | sort
}

choose_arch()
{
	case $1 in
	arm64-4k | arm64-64k)
		choose_kernel "$1" ;;
	bisect)
		tree=bisect build=$out/build/arches/bisect arch=arm64
		fragments="objects arch/arm64-4k $out/bisect-arm64.config" ;;
	*)
		tree=patched build=$out/build/arches/$1 arch=$(arch_of "$1")
		fragments="objects series kunit tests arch/$1" ;;
	esac
}

check_arch()
{
	local objects

	choose_arch "$1"
	say "# arches: $1"
	configure
	prepare "the kernel for $1"
	objects=$(select_objects < "$work/sources")
	[ -n "$objects" ] || die "the configuration of $1 has nothing that the series touches"
	# shellcheck disable=SC2086 # a list of words
	check_objects "arches-$1" "" $objects
}

check_arches()
{
	local name

	touched > "$work/sources"
	# shellcheck disable=SC2046 # a list of words
	[ $# != 0 ] || set -- $(arch_names)
	for name; do
		check_arch "$name"
	done
}

case ${1:-} in
drivers | configs | arches)
	"check_$1" "${@:2}" ;;
*)	die "which objects: drivers, configs or arches?" ;;
esac
ktap_end
