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

# until_there PATTERN, until_gone PATTERN: wait for processes, 30 seconds at most
until_there() { local n; for ((n = 0; n < 300; n++)); do ! pgrep -f "$1" >/dev/null || return 0; sleep 0.1; done; return 1; }
until_gone() { local n; for ((n = 0; n < 300; n++)); do pgrep -f "$1" >/dev/null || return 0; sleep 0.1; done; return 1; }

# killed WHOM SIGNAL COMMAND...: start the command, kill it or what it started
killed()
{
	local whom=$1 signal=$2 leader

	shift 2
	PATH="$here/bin:$PATH" CMD=true "$@" </dev/null >"$said" 2>&1 &
	leader=$!
	disown "$leader"
	until_there "^qemu of $here"
	if [ "$whom" = boot.sh ]; then
		leader=$(pgrep -P "$leader" -f boot.sh)
	fi
	kill -s "$signal" "$leader"
	if ! until_gone "$here/(bin|root)|^qemu of $here"; then
		echo "left by $whom at SIG$signal:"
		pgrep -af "$here"
		pgrep -f "^qemu of $here" | xargs -r kill -s KILL
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
