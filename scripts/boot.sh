#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot a kernel in QEMU, run CMD in it with FILES in /bin, print its output and
# exit with its status.  Without CMD: a shell.  From the environment:
#
#	KERNEL	which kernel of out/build		ICOUNT=1  exact instruction counts, one CPU
#	SMP	CPUs (2)				MEM	  memory (2G), half on each node
#	APPEND	words for the kernel's command line	LOG	  name of the logs in out/log
#	EXPECT	a report that CMD provokes (splats.awk)	HOST=1	  the host's programs and files, read-only
#	SILENCE	seconds without a word, on the console or from CMD, that are a hang (0: they never are)
#	TIMEOUT	seconds that are a hang even so (600)
#	IOMMU=1	two devices that do DMA (QEMU's edu): one behind an IOMMU, one not
#	ARCH	arm64: the kernel arm64-KERNEL, in an emulated machine; FILES are to be static
#
# The command's output and status have a virtio port each, so neither can be
# taken for the other, nor for the kernel's log.  A report of trouble in that
# log fails the run, whatever the command says.  Exit status: the command's, or
# 124 for a guest that hung, or 125 for one that died or reported trouble.
# Nothing outlives the script, and the script does not outlive who called it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"
. "$(dirname "$0")/machine.sh"

leash=$root/scripts/leash.sh
[ "${leashed:-}" = $$ ] || leashed=$$ exec "$leash" TERM "$PPID" "$0" "$@"

KERNEL=$(kernel_name "${KERNEL:-release}")
LOG=${LOG:-boot-$KERNEL}
SMP=${SMP:-2}
MEM=${MEM:-2G}
ICOUNT=${ICOUNT:-0}
EXPECT=${EXPECT:-}
IOMMU=${IOMMU:-0}
HOST=${HOST:-0}
SILENCE=${SILENCE:-0}
TIMEOUT=${TIMEOUT:-600}

arch=$(arch_of "$KERNEL")
case $arch in
arm64)	qemu=qemu-system-aarch64 image=Image tty=ttyAMA0 ;;
*)	qemu=qemu-system-x86_64 image=bzImage tty=ttyS0 ;;
esac
image=$out/build/$KERNEL/arch/$arch/boot/$image
console=$out/log/$LOG.console
output=$out/log/$LOG.output

[[ $SILENCE,$TIMEOUT =~ ^[0-9]+,[0-9]+$ ]] || die "SILENCE='$SILENCE' and TIMEOUT='$TIMEOUT' are to be seconds"
[ "$HOST" = 0 ] || [ "$arch" = x86 ] || die "HOST=1 is for the architecture of this machine"
[ -e "$image" ] || die "there is no kernel $image: run make kernel KERNEL=$KERNEL"
terminal=$(stty -g 2>/dev/null) || terminal=none
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out/log"

# Wait a moment, and say whether QEMU is still there.  A terminal that is gone may
# tell none but its session's leader, and make waits for us then.
running()
{
	sleep 0.2
	[ "$terminal" = none ] || [ -t 0 ] || exit 129
	kill -0 "$pid" 2>/dev/null
}

# QEMU makes the terminal raw, and one that was killed leaves it so.
run_shell()
{
	trap 'stty "$terminal" 2>/dev/null || :; rm -rf "$work"' EXIT
	say "A shell in $KERNEL; exit ends it, and Ctrl-A X kills the machine."
	"$leash" TERM $$ "$qemu" "${machine[@]}" -serial mon:stdio <&0 &
	pid=$!
	while running; do :; done
	wait "$pid"
}

# Wait until QEMU has ended.  Kill it when TIMEOUT has passed, or SILENCE, and say
# so in $hung.  Silence is counted in rounds of this loop: while the machine is too
# busy to run us, or stopped, it has no reason to run the guest either.
watch_guest()
{
	local rounds=0 silent=0 said="" size

	while running; do
		rounds=$((rounds + 1))
		[ $((rounds % 5)) = 0 ] || continue
		size=$(stat -c %s "$console" "$output")
		silent=$((silent + 1))
		[ "$size" = "$said" ] || silent=0
		said=$size
		if [ "$SILENCE" != 0 ] && [ "$silent" -ge "$SILENCE" ]; then
			hung="neither its console nor its output grew for $SILENCE s (SILENCE=)"
		elif [ "$TIMEOUT" != 0 ] && [ "$SECONDS" -ge "$TIMEOUT" ]; then
			hung="not done after $TIMEOUT s (TIMEOUT=)"
		else
			continue
		fi
		kill -KILL "$pid"
		break
	done
}

# Run the command, its output going to ours; leave its status in $status.
run_command()
{
	local reader hung=""

	: >"$output"
	: >"$console"
	SECONDS=0
	"$leash" KILL $$ "$qemu" "${machine[@]}" \
		-serial "file:$console" -device virtio-serial-pci,bus=pcie.0 \
		-chardev "file,id=output,path=$output" \
		-device virtserialport,chardev=output,name=output \
		-chardev "file,id=status,path=$work/status" \
		-device virtserialport,chardev=status,name=status </dev/null &
	pid=$!
	"$leash" TERM $$ tail -n +1 -s 0.2 -f --pid="$pid" "$output" &
	reader=$!
	watch_guest
	wait "$pid" "$reader" 2>/dev/null || :
	if [ -n "$hung" ]; then
		note "boot.sh: the guest hung: $hung; the last line on its console:"
		note "    $(tail -n 1 "$console" | tr -d '\r')"
		status=124
	elif [[ "$(cat "$work/status" 2>/dev/null)" =~ ^exit\ ([0-9]+)$ ]]; then
		status=${BASH_REMATCH[1]}
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
[ "$HOST" = 0 ] || modules=$("$root/scripts/modules.sh" "$out/build/$KERNEL" "$work")
# shellcheck disable=SC2086 # FILES is a list of words
KERNEL=$KERNEL arch=$arch modules=${modules:-} "$root/scripts/initramfs.sh" "$work/initramfs" "${CMD:-}" ${FILES:-}
configure_machine
if [ -z "${CMD:-}" ]; then
	run_shell
	exit 0
fi
run_command
check_log
exit "$status"
