# shellcheck shell=bash disable=SC2154 # the settings, image, tty and work are boot.sh's
# SPDX-License-Identifier: GPL-2.0
#
# The machine that QEMU is to be for boot.sh: configure_machine fills the array
# machine with what does not depend on how we talk to the guest.  Sourced, not run.

configure_x86()
{
	local accel=tcg cpu=max

	[ "$ICOUNT" != 0 ] || accel=$("$root/scripts/accel.sh" "$image")
	[ "$accel" = tcg ] || cpu=host
	# identify_cpu() forgets for a moment that there are five levels of page
	# tables, and KASAN's idea of its shadow with it: an interrupt just then
	# is a wild access to it.
	! grep -qx CONFIG_KASAN=y "$out/build/$KERNEL/.config" || cpu+=,la57=off
	machine+=(-machine q35 -accel "$accel" -cpu "$cpu")
	# Whether the timer ticks is asked for so briefly that a busy host fails it.
	APPEND="no_timer_check ${APPEND:-}"
	if [ "$IOMMU" != 0 ]; then
		machine+=(-device intel-iommu -device "edu,bus=pcie.0,dma_mask=0xffffffffffffffff"
			-device "pxb-pcie,id=bypass,bus_nr=64,bypass_iommu=on"
			-device "pcie-root-port,id=direct,bus=bypass"
			-device "edu,bus=direct,dma_mask=0xffffffffffffffff")
		APPEND="intel_iommu=on ${APPEND:-}"
	fi
}

# -cpu max has LPA2, and a signature of pointers that takes long to emulate.
configure_arm64()
{
	[ "$IOMMU" = 0 ] || die "IOMMU=1 is for x86"
	machine+=(-machine "virt,gic-version=3" -accel tcg -cpu "max,pauth-impdef=on")
}

configure_machine()
{
	local half

	if [ "$ICOUNT" != 0 ]; then
		SMP=1
		machine+=(-icount shift=0)
	fi
	if [ "$arch" = arm64 ]; then
		configure_arm64
	else
		configure_x86
	fi
	if [ "$HOST" != 0 ]; then
		machine+=(-fsdev "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
			-device "virtio-9p-pci,fsdev=host,mount_tag=host,bus=pcie.0")
	fi
	half=$(($(numfmt --from=iec "$MEM") / 2 >> 20))M
	truncate -s 1G "$work/disk"
	machine+=(-m "$MEM" -smp "$SMP,sockets=$SMP"
		-nodefaults -no-user-config -no-reboot -display none
		-object "memory-backend-ram,id=m0,size=$half"
		-object "memory-backend-ram,id=m1,size=$half"
		-numa "node,memdev=m0,cpus=0$([ "$SMP" -lt 3 ] || echo "-$((SMP - 2))")"
		-numa "node,memdev=m1$([ "$SMP" -lt 2 ] || echo ",cpus=$((SMP - 1))")"
		-drive "file=$work/disk,format=raw,if=none,id=disk,cache=unsafe"
		-device "virtio-blk-pci,drive=disk,bus=pcie.0"
		-kernel "$image" -initrd "$work/initramfs"
		-append "console=$tty panic=-1 printk.devkmsg=on ${APPEND:-}")
}

