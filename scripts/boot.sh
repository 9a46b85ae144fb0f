#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot a kernel in QEMU, run CMD in it with FILES in /bin, print its output and
# exit with its status.  Without CMD: a shell.  From the environment:
#
#	KERNEL	which kernel of out/build		ICOUNT=1  exact instruction counts, one CPU
#	SMP	CPUs (2)				MEM	  memory (2G), half on each node
#	APPEND	words for the kernel's command line	TIMEOUT	  seconds until it is a hang (600)
#	EXPECT	a report that CMD provokes (splats.awk)	LOG	  name of the logs in out/log
#	IOMMU=1	two devices that do DMA (QEMU's edu): one behind an IOMMU, one not
#	ARCH	arm64: the kernel arm64-KERNEL, in an emulated machine; FILES are to be static
#
# The command's output and status have a virtio port each, so neither can be
# taken for the other, nor for the kernel's log.  A report of trouble in that
# log fails the run, whatever the command says.  Exit status: the command's, or
# 124 for a guest that hung, or 125 for one that died or reported trouble.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"
. "$(dirname "$0")/machine.sh"

KERNEL=$(kernel_name "${KERNEL:-release}")
LOG=${LOG:-boot-$KERNEL}
SMP=${SMP:-2}
MEM=${MEM:-2G}
ICOUNT=${ICOUNT:-0}
EXPECT=${EXPECT:-}
IOMMU=${IOMMU:-0}
TIMEOUT=${TIMEOUT:-600}

arch=$(arch_of "$KERNEL")
case $arch in
arm64)	qemu=qemu-system-aarch64 image=Image tty=ttyAMA0 ;;
*)	qemu=qemu-system-x86_64 image=bzImage tty=ttyS0 ;;
esac
image=$out/build/$KERNEL/arch/$arch/boot/$image
console=$out/log/$LOG.console
output=$out/log/$LOG.output

[ -e "$image" ] || die "there is no kernel $image: run make kernel KERNEL=$KERNEL"
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out/log"

run_shell()
{
	say "A shell in $KERNEL; exit ends it, and Ctrl-A X kills the machine."
	"$qemu" "${machine[@]}" -serial mon:stdio
}

# Run the command, its output going to ours; leave its status in $status.
run_command()
{
	local pid killed=0

	: >"$output"
	timeout -k 5 "$TIMEOUT" "$qemu" "${machine[@]}" \
		-serial "file:$console" -device virtio-serial-pci,bus=pcie.0 \
		-chardev "file,id=output,path=$output" \
		-device virtserialport,chardev=output,name=output \
		-chardev "file,id=status,path=$work/status" \
		-device virtserialport,chardev=status,name=status </dev/null &
	pid=$!
	tail -n +1 -s 0.2 -f --pid="$pid" "$output"
	wait "$pid" || killed=$?
	if [[ "$(cat "$work/status" 2>/dev/null)" =~ ^exit\ ([0-9]+)$ ]]; then
		status=${BASH_REMATCH[1]}
	elif [ "$killed" = 124 ] || [ "$killed" = 137 ]; then
		note "boot.sh: the guest hung: not done after $TIMEOUT s (TIMEOUT=)"
		status=124
	else
		note "boot.sh: the guest died before the command was done"
		status=125
	fi
}

check_log()
{
	if ! awk -v expect="${EXPECT//\\/\\\\}" -f "$root/scripts/splats.awk" "$console" >"$work/reports"; then
		note "boot.sh: the guest's kernel reported:"
		sed 's/^/    /' "$work/reports" >&2
		status=125
	fi
	[ "$status" = 0 ] || note "boot.sh: status $status; logs: $console $output"
}

machine=()
# shellcheck disable=SC2086 # FILES is a list of words
arch=$arch "$root/scripts/initramfs.sh" "$work/initramfs" "${CMD:-}" ${FILES:-}
configure_machine
if [ -z "${CMD:-}" ]; then
	run_shell
	exit
fi
rm -f "$console" "$output"
run_command
check_log
exit "$status"
