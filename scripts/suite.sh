#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run one suite of tests on what has been built, and leave its report, in KTAP,
# in out/log/test/NAME.ktap:
#	suite.sh NAME
#	suite.sh --needs NAME	only says which kernel and programs it wants built,
#				for which other architectures it compiles, and
#				what tools it takes beside those of all suites
# Each suite is a function below.  STOCK=1 runs it on the kernels without the
# series instead.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"

ask=""
if [ "$1" = --needs ]; then
	ask=1
	shift
fi
suite=$1
dir=$out/log/test
report=$dir/$suite.ktap
mkdir -p "$dir"

release=release debug=debug tree=patched
if [ "${STOCK:-0}" != 0 ]; then
	release=stock debug=stock-tests tree=tests
fi
programs=$out/selftests/$tree

# Of the 4 GiB, what lies at 4.25 GiB is persistent memory, and at 4.5 GiB that
# of the two coherent devices of the base's test driver.
# shellcheck disable=SC2016 # the dollar is the kernel's
memory='memmap=128M!0x110000000 memmap=0x20000000$0x120000000 test_hmm.spm_addr_dev0=0x120000000 test_hmm.spm_addr_dev1=0x130000000'

# What comes before a program that is not to run as root
as_user="su nobody -c "

# How long a program may be silent, in seconds, before it is killed and the next
# one runs.  How long all take is not limited: that depends on what else this
# machine does.
silence=300

# What a suite starts ends with it, whatever becomes of it. For boot.sh it is a
# hang if nothing was reported, not even that a program or a test was given up.
with_us=(setpriv --pdeathsig TERM)
guest=("${with_us[@]}" env "LOG=test/$suite" "SILENCE=$((silence + 120))" TIMEOUT=7200)

# in_guest KERNEL COMMAND...: run each command as a test of one boot.  The
# commands are programs of the tree's selftests.
in_guest()
{
	local kernel=$1 names files command list=""

	shift
	names=$(for command; do command=${command#"$as_user"}; echo "${command%% *}"; done | sort -u)
	if [ -n "$ask" ]; then
		echo "kernel $kernel"
		for command in $names; do echo "program $command"; done
		return
	fi
	files="$root/scripts/guest/suite $root/scripts/guest/mm-setup"
	for command in $names; do files+=" $programs/$command"; done
	for command; do list+=" '$command'"; done
	say "$suite: booting $kernel for $# programs"
	"${guest[@]}" KERNEL="$kernel" MEM=4G SMP=4 FILES="$files" APPEND="$memory" \
		CMD="mm-setup && exec suite $silence$list" "$root/scripts/boot.sh" |
		tee "$report" | sed -u '/^[ #]/d'
}

# on_host SCRIPT: run a script that reports by ktap.sh, show its progress.  By timeout all that it starts ends with it.
on_host() { [ -n "$ask" ] || "${with_us[@]}" timeout 0 "$@" | tee "$report" | sed -nu '/^# /p'; }

suite_hmm_release() { in_guest $release hmm-tests; }

# The harness gives each test 30 seconds, which a benchmark cannot keep under
# KASAN without KVM: it is left to the release kernel.
suite_hmm_debug() { in_guest $debug "hmm-tests -T benchmark_thp_migration"; }

# Our own programs, and KUnit, also without the options of debug, which hide races.  A
# kernel of its own has them: what is measured on release has no KUnit.
suite_own_debug() { own $debug; }
suite_release_own() { own release-kunit; }
suite_release_kunit() { run_kunit release-kunit 'kunit -x hmm_dma_edu'; }

# own KERNEL: what the series adds to run_vmtests.sh
own()
{
	local script=tools/testing/selftests/mm/run_vmtests.sh commands

	mapfile -t commands < <(diff "$out/base/$script" "$out/$tree/$script" |
		sed -n '/hmm_range_stress/d; s|^> .*run_test \./||p')
	in_guest "$1" "${commands[@]}"
}

# Each kind of memory for 10 seconds; with ranges that have callbacks; then without the check of validity, which has to be found out
suite_stress_release() { stress $release; }
suite_stress_debug() { stress $debug; }

# A stale read of a page that was freed finds poison, a stale write spoils it, and who gets the page next finds that.
stress()
{
	local memory="$memory page_poison=1"

	in_guest "$1" hmm_range_stress "hmm_range_stress --memory anonymous --ops" "hmm_range_stress --memory anonymous --seconds 5 --break"
}

# What the base has for the code that the series changes
suite_mm_debug()
{
	in_guest $debug \
		"gup_test -u -n 1" "gup_test -u -n -1" "gup_test -U -n 123" \
		"gup_test -a -n 1" "gup_test -a -n -1" "gup_test -b -n 512" \
		"gup_test -L -T -w -n 123" "gup_test -a -t -w -n -1" \
		"gup_test -u -H -m 64 -n 512" "gup_test -a -H -m 64 -w -n 123" \
		"gup_test -ct -F 0x1 0 19 0x1000" \
		gup_longterm madv_populate guard-regions pfnmap mrelease_test \
		mlock-random-test mlock2-tests "${as_user}on-fault-limit" memfd_secret
}

# What takes long under KASAN: writes that pinned pages and forks have to sort out, and protection by userfaultfd,
# of which GUP and the walks know.
suite_mm_release() { in_guest $release cow "uffd-unit-tests -f wp-"; }

# The rest of them: events, which take two minutes a test under KASAN, and what runs for a fixed time
suite_mm_release_long() { in_guest $release uffd-unit-tests migration; }
suite_mm_debug_long() { in_guest $debug cow; }

# run_kunit KERNEL COMMAND [PARAMETER...]: KUnit reports in the kernel's log, and
# gives a test up after 300 seconds.
run_kunit()
{
	local kernel=$1 command=$2 status=0

	shift 2
	if [ -n "$ask" ]; then
		echo "kernel $kernel"
		return
	fi
	"${guest[@]}" KERNEL="$kernel" MEM="${MEM:-4G}" APPEND="kunit.enable=1 kunit.autorun=0 $*" \
		FILES="$root/scripts/guest/kunit" CMD="$command" "$root/scripts/boot.sh" || status=$?
	cp "$dir/$suite.console" "$report"
	return $status
}

# The base does not come back from a test of gup_fatal: there each of them is
# booted alone, as the suite kunit-NAME, and is to end as soon as it dies.
suite_kunit()
{
	if [ "$debug" = debug ]; then
		run_kunit $debug 'kunit -x hmm_dma_edu'
	else
		run_kunit $debug 'kunit -x gup_fatal'
	fi
}

# An IOMMU and devices that do DMA are for these tests alone: the IOMMU that
# other tests play does not go with one that the machine has.
suite_dma() { IOMMU=1 run_kunit $debug 'kunit hmm_dma_edu'; }

suite_kunit_fatal() { run_kunit $debug kunit "kunit.filter_glob=gup_fatal.$1" oops=panic sysctl.kernel.hung_task_panic=1; }

# arm64, whose PMD maps 2 MiB with pages of 4 KiB, and 512 MiB with pages of 64 KiB
suite_arm64_4k() { arm64_kunit arm64-4k; }
suite_arm64_64k() { MEM=6G arm64_kunit arm64-64k; }

arm64_kunit()
{
	[ -z "$ask" ] || echo "arch arm64"
	run_kunit "$1" 'kunit -x hmm_dma_edu'
}

# rdma-core's own tests, whose on-demand paging is a driver that uses HMM; and those that do not come near it
suite_rdma() { rdma; }
suite_rdma_long() { rdma all; }

rdma()
{
	local tests

	if [ -n "$ask" ]; then
		printf '%s\n' "kernel $debug" "tools rdma"
		return
	fi
	tests=$("$root/scripts/rdma-core.sh")
	"${guest[@]}" KERNEL="$debug" HOST=1 MEM=4G SMP=4 CMD="'$root/scripts/guest/rdma' '$tests' $*" \
		"$root/scripts/boot.sh" | tee "$report" | sed -u '/^ *#/d'
}

# bpftrace, on the kernel that has what it wants
suite_trace()
{
	if [ -n "$ask" ]; then
		printf '%s\n' "kernel trace" "program hmm_sample" "tools tracing"
		return
	fi
	"${guest[@]}" KERNEL=trace HOST=1 FILES="$root/scripts/guest/trace $programs/hmm_sample" CMD=trace \
		"$root/scripts/boot.sh" | tee "$report"
}

suite_arches()
{
	local config

	if [ -n "$ask" ]; then
		for config in "$root"/configs/arch/*.config; do
			echo "arch $(arch_of "$(basename "$config" .config)")"
		done
		return
	fi
	on_host "$root/scripts/objects.sh" arches
}

suite_detectors()
{
	if [ -n "$ask" ]; then
		printf 'kernel %s\n' "$debug" "$release"
	else
		"${with_us[@]}" "$root/scripts/detectors.sh" >"$report"
	fi
}

suite_harness() { on_host make -s -C "$root/tools/testing/hmm" ktap TREE="$out/base" OUTPUT="$out/harness"; }
suite_model() { on_host make -s -C "$root/tools/testing/hmm" model OUTPUT="$out/harness"; }
suite_drivers() { on_host "$root/scripts/objects.sh" drivers; }
suite_configs() { on_host "$root/scripts/objects.sh" configs; }
suite_lint() { on_host "$root/scripts/lint.sh"; }
suite_self() { on_host "$root/scripts/self.sh"; }

[ -n "$ask" ] || rm -f "$report"
case $suite in
kunit-*)	suite_kunit_fatal "${suite#kunit-}" ;;
*)		"suite_${suite//-/_}" ;;
esac
