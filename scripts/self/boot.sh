# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0
#
# Tests of boot.sh: whoever starts a guest may be killed at any time, and nothing
# of it stays. QEMU is a program that only sleeps; no kernel is needed.

# made_up_machine: a clone at $mine with a QEMU that sleeps, and kernels to boot
made_up_machine()
{
	local kernel

	made_up_root
	unset KERNEL
	for kernel in release debug; do
		mkdir -p "$OUT/build/$kernel/arch/x86/boot"
		touch "$OUT/build/$kernel/.config" "$OUT/build/$kernel/arch/x86/boot/bzImage"
	done
	echo tcg >"$OUT/accel.$(cat /proc/sys/kernel/random/boot_id)"
	mkdir "$here/bin"
	printf '#!/bin/bash\nexec -a "qemu of %s" sleep 3333\n' "$here" >"$here/bin/qemu-system-x86_64"
	chmod +x "$here/bin/qemu-system-x86_64"
	printf 'boot:\n\t@%s/scripts/boot.sh\n' "$mine" >"$mine/Makefile"
}

# processes: those of the clone; a pattern that does not match grep's own arguments
processes() { those_with cmdline "^[q]emu of $here|${here%it}[i]t/(bin|root)"; }

guest_is_there() { [ -n "$(those_with cmdline "^[q]emu of $here")" ]; }
nobody_is_there() { [ -z "$(processes)" ]; }

# killed WHOM SIGNAL COMMAND...: start the command, kill it or what it started
killed()
{
	local whom=$1 signal=$2 leader

	shift 2
	PATH="$here/bin:$PATH" CMD=true "$@" </dev/null >"$said" 2>&1 &
	leader=$!
	disown "$leader"
	until_it guest_is_there
	if [ "$whom" = boot.sh ]; then
		leader=$(children "$leader" | head -n 1)
	fi
	kill -s "$signal" "$leader"
	if ! until_it nobody_is_there; then
		echo "$whom is killed by SIG$signal, and these stay:"
		for leader in $(processes); do
			tr '\0' ' ' <"/proc/$leader/cmdline"
			echo
		done
		processes | xargs -r kill -s KILL
		return 1
	fi
}

self_nothing_of_a_boot_outlives_it()
{
	local signal

	made_up_machine
	for signal in KILL TERM; do
		killed make "$signal" make -s -C "$mine" boot
		killed boot.sh "$signal" make -s -C "$mine" boot
		killed suite.sh "$signal" "$mine/scripts/suite.sh" kunit
	done
}
