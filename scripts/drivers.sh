#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles every user of HMM in the tree against the headers of the series, as objects of an allmodconfig with WERROR.
# A user that the list below lacks is an error.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"
. "$(dirname "$0")/ktap.sh"
. "$(dirname "$0")/objects.sh"

# Those that call HMM or read its pfns, then users of its users, and KVM for the growth of mmu_notifier_range.
# amdgpu and KVM reach some of their files by a path of their own.
objects="
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

tree=patched
build=$out/build/drivers
fragments=drivers
config=allmodconfig
work=$(scratch)
trap 'rm -rf "$work"' EXIT

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

	for object in $objects; do
		realpath -m --relative-to=/ "/${object%.o}.c"
	done
}

check_list()
{
	LC_ALL=C comm -23 <(users | LC_ALL=C sort) <(listed | LC_ALL=C sort) > "$work/missing"
	[ -s "$work/missing" ] || return 0
	cat "$work/missing" >&2
	die "these files use HMM and are not in the list of scripts/drivers.sh: add them"
}

check_list
say "# drivers: configuring an allmodconfig"
configure
say "# drivers: preparing it"
prepare "the kernel for the drivers"
# shellcheck disable=SC2086 # a list of words
check_objects drivers "" $objects
ktap_end
