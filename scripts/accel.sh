#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print the accelerator for QEMU: kvm when accel.sh KERNEL-IMAGE comes up under
# it, else tcg.  /dev/kvm may exist and still hang or crawl, so the kernel has
# five seconds to get as far as looking for its root file system in vain.
# Asked once for each time that the machine was started.

. "$(dirname "$0")/lib.sh"

known=$out/accel.$(cat /proc/sys/kernel/random/boot_id)

probe()
{
	local qemu ticks=0 log=$out/log/kvm-probe.console

	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	mkdir -p "$out/log"
	rm -f "$log"
	qemu-system-x86_64 -accel kvm -cpu host -nodefaults -no-reboot \
		-display none -m 512M -serial "file:$log" -kernel "$1" \
		-append "console=ttyS0 panic=-1" >/dev/null 2>&1 </dev/null &
	qemu=$!
	disown "$qemu"
	while kill -0 "$qemu" 2>/dev/null && [ "$ticks" -lt 50 ]; do
		sleep 0.1
		ticks=$((ticks + 1))
	done
	# A process that is stuck in KVM may not die: it is not waited for.
	kill -KILL "$qemu" 2>/dev/null || :
	grep -q 'Kernel panic - not syncing: VFS' "$log" 2>/dev/null
}

if [ ! -e "$known" ]; then
	rm -f "$out"/accel.*
	if probe "$1"; then echo kvm; else echo tcg; fi >"$known.new"
	mv "$known.new" "$known"
fi
cat "$known"
