#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# See each detector of the workbench fire once, and excuse what is announced:
# KTAP on standard output.  Reports are provoked in guests by guest/trouble: on
# debug what only its options report, all else on release, which boots sooner.
# Both have been built.  That the guest has the host's programs is seen here, too.

. "$(dirname "$0")/lib.sh"
work=$(scratch)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/ktap.sh"

build_trouble()
{
	local kernel

	for kernel in debug release; do
		mkdir "$work/$kernel"
		cp -r "$root/scripts/guest/trouble" "$work/$kernel/"
		make -s -C "$out/build/$kernel" M="$work/$kernel/trouble" modules >"$work/build" 2>&1 ||
			{ cat "$work/build" >&2; die "guest/trouble does not build as a module of $kernel"; }
	done
}

# boot KERNEL NAME CMD [VARIABLE=VALUE...]: what boot.sh says goes to
# $work/said, its exit status to $status, and $console has the kernel's log
boot()
{
	local kernel=$1 name=$2 cmd=$3

	shift 3
	note "detectors: booting $kernel for $name"
	status=0
	env KERNEL="$kernel" TIMEOUT=240 "$@" LOG="test/detectors-$name" CMD="$cmd" \
		FILES="$work/$kernel/trouble/trouble.ko $work/$kernel/trouble/ranges.ko" \
		"$root/scripts/boot.sh" >"$work/said" 2>&1 || status=$?
	console=$out/log/test/detectors-$name.console
}

# seen NAME REGEX: one test, passed if boot.sh showed such a line
seen()
{
	local result=0

	grep -Eq "$2" "$work/said" || result=1
	ktap_result "$1" "$result" "$work/said"
}

# blamed NAME REGEX FUNCTION: one test, passed if the log has a report with such
# a line and a call trace that names that function
blamed()
{
	local result=0

	awk -v regex="$2" -v place=" $3[+]0x" '
		$0 ~ regex { inside = 1 }
		inside && $0 ~ place { found = 1 }
		/<\/TASK>/ { inside = 0 }
		END { exit !found }' "$console" || result=1
	ktap_result "$1" "$result" "$console"
}

# ended NAME STATUS: one test, passed if boot.sh ended with that status
ended()
{
	local result=0

	[ "$status" = "$2" ] || result=1
	ktap_result "$1" "$result" "$work/said"
}

# All that a kernel survives, in one boot, and lockdep in others: it reports once
# and falls silent for good, as it does after a report of KASAN. What misuses a
# range waits for nothing, so it comes first, up to the one that is for lockdep.
survived()
{
	# shellcheck disable=SC2016 # the guest's dollar
	boot debug survived '
		for kind in begin-without-irqs unregister-without-irqs wait-in-callback twice freed stack; do
			insmod /bin/ranges.ko kind=$kind
			rmmod ranges
		done
		echo 5 >/proc/sys/kernel/hung_task_timeout_secs
		for kind in warn list object dma overrun atomic-sleep leak hang; do
			insmod /bin/trouble.ko kind=$kind
			rmmod trouble
		done
		exit 0' APPEND=kasan_multi_shot
	seen WARN 'WARNING: .*provoke_warn'
	seen 'list corruption' 'WARNING: at __list_add_valid'
	blamed 'debug objects' 'ODEBUG: free active .* timer_list' provoke_object
	blamed 'DMA is unmapped twice' 'DMA-API: .*free DMA memory it has not allocated' provoke_dma
	seen KASAN 'BUG: KASAN: slab-out-of-bounds'
	seen 'sleep in atomic context' 'BUG: sleeping function called from invalid context'
	seen 'hung task' 'INFO: task insmod:[0-9]+ blocked'
	seen KMEMLEAK 'kmemleak: [0-9]+ new suspected memory leaks'
	ended 'a report fails the run of a command that succeeds' 125
	ranges_misused
	boot debug locks 'insmod /bin/trouble.ko kind=rcu; rmmod trouble
		insmod /bin/trouble.ko kind=deadlock'
	seen 'suspicious RCU usage' 'WARNING: suspicious RCU usage'
	seen lockdep 'WARNING: possible circular locking dependency'
	boot debug ranges-locks 'insmod /bin/ranges.ko kind=register-locked'
	blamed 'a range is registered with the mmap lock held' \
		'WARNING: .*hmm_ranges_record' register_locked_for_read
}

# The same boot: each report with the place in ranges.c where it is to be mended
ranges_misused()
{
	blamed 'a range is armed with interrupts off' 'WARNING: .*hmm_range_begin' begin_without_irqs
	blamed 'a range is unregistered with interrupts off' 'WARNING: .*hmm_range_unregister' unregister_without_irqs
	blamed 'a wait for a range within an invalidation' \
		'WARNING: possible recursive locking detected' wait_in_callback
	blamed 'a range is registered twice' 'ODEBUG: init active .* hmm_range' register_twice
	blamed 'a registered range is freed' 'ODEBUG: free active .* hmm_range' free_registered
	blamed 'a registered range is left on a stack' 'BUG: KASAN: stack-out-of-bounds in (interval_tree|hmm_range)' use_stack
}

fatal()
{
	boot release bug 'insmod /bin/trouble.ko kind=bug; insmod /bin/trouble.ko kind=oops; exit 0'
	seen BUG 'kernel BUG at'
	seen Oops 'Oops: .*000[0-9]'
	boot release poison 'insmod /bin/trouble.ko kind=poison; exit 0' APPEND=page_poison=1
	seen 'a page is written after it was freed' 'pagealloc: .*(bit error|corruption)'
	ended 'a page that is written after it was freed fails the run' 125
	boot release panic 'insmod /bin/trouble.ko kind=panic'
	seen panic 'Kernel panic - not syncing: trouble'
	ended 'a guest that panics fails the run' 125
	boot release memory 'tail /dev/zero; exit 0' MEM=512M
	seen 'out of memory' 'Out of memory: Killed process'
	boot release hang 'sleep 1000' TIMEOUT=20
	ended 'a guest that hangs fails the run' 124
	boot release silent 'sleep 1000' SILENCE=12
	ended 'a guest that falls silent fails the run' 124
	seen 'a guest that falls silent is told from one that takes too long' 'neither its console nor its output grew for 12 s'
	seen 'what the console said last is shown' '^ .*Run /init as init process'
	boot release poweroff 'poweroff -f'
	ended 'a guest that goes away fails the run' 125
}

quiet()
{
	boot release slow 'for i in 1 2 3 4; do sleep 5; echo still here; done' SILENCE=12
	ended 'a guest that says something now and then has not fallen silent' 0
	boot release status 'exit 7'
	ended 'the status of the command comes out' 7
	boot release expected 'echo expect-splat: "WARNING: .*insmod" >/dev/kmsg
		insmod /bin/trouble.ko kind=warn; exit 0'
	ended 'a report that is announced is excused' 0
	boot release unexpected 'echo expect-splat: "WARNING: .*other" >/dev/kmsg
		insmod /bin/trouble.ko kind=warn; exit 0'
	ended 'another report than the announced one fails the run' 125
	seen 'an announced report that does not come fails the run' 'expected, but never reported'
}

# HOST=1: an extension of python3 is loaded, a program compiled, linked and run, a
# module of this kernel found by its name, and what is written there stays there.
host_programs()
{
	local result=0 file=$work/written-by-the-guest

	# shellcheck disable=SC2016 # the guest's dollar
	boot release host 'set -e
		python3 -c "import ctypes, json; print(json.dumps({\"bits\": ctypes.sizeof(ctypes.c_long) * 8}))"
		echo "int main(void) { return 42; }" >'"$file"'.c
		gcc -o '"$file $file"'.c
		status=0
		'"$file"' || status=$?
		echo "the program said $status"
		modprobe dummy
		busybox ip link add test0 type dummy
		busybox ip addr add 192.0.2.1/24 dev test0
		busybox ip link set test0 up
		busybox ip -o addr show dev test0
		ls -l /bin/trouble.ko' HOST=1
	ended 'the host has programs that run in the guest' 0
	seen 'python3 has its extensions in the guest' '"bits": 64'
	seen 'a program is compiled and run in the guest' 'the program said 42'
	seen 'a module of the kernel is found by its name, for an interface with an address' 'inet 192.0.2.1/24 .*test0'
	seen 'FILES come along to the host'\''s file system' '/bin/trouble.ko'
	[ ! -e "$file" ] && [ ! -e "$file.c" ] || result=1
	ktap_result 'the guest writes nothing to the host' "$result" "$work/said"
}

# A symbol that cannot be had must be named, by what builds a kernel.
dropped_symbol()
{
	local result=0

	echo "CONFIG_NO_SUCH_SYMBOL=y" >"$work/fragment"
	(
		. "$root/scripts/kbuild.sh"
		tree=base build=$work/build-dropped fragments=base
		mkdir -p "$work/root/configs"
		cat "$root/configs/base.config" "$work/fragment" >"$work/root/configs/base.config"
		# shellcheck disable=SC2030 # only kbuild.sh is to see it
		root=$work/root
		configure
	) >"$work/said" 2>&1 || result=$?
	if [ "$result" != 0 ] && grep -q 'CONFIG_NO_SUCH_SYMBOL=y' "$work/said"; then
		result=0
	else
		result=1
	fi
	ktap_result 'a config symbol that is dropped is named' "$result" "$work/said"
}

build_trouble
dropped_symbol
quiet
survived
fatal
host_programs
ktap_end
