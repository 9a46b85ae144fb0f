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
	"$root/scripts/leash.sh" KILL $$ qemu-system-x86_64 -accel kvm -cpu host -nodefaults -no-reboot \
		-display none -m 512M -serial "file:$log" -kernel "$1" \
		-append "console=ttyS0 panic=-1" >/dev/null 2>&1 </dev/null 9>&- &
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

# Two guests may be booted at once: the second waits for the first one's answer.
exec 9>"$out/accel.lock"
flock 9
if [ ! -e "$known" ]; then
	find "$out" -maxdepth 1 -name 'accel.*' ! -name accel.lock -delete
	if probe "$1"; then echo kvm; else echo tcg; fi >"$known.new"
	mv "$known.new" "$known"
fi
cat "$known"
