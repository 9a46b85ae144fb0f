# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The architectures that the workbench compiles for.  Sourced, not run, after lib.sh.

# arch_of NAME: what kbuild calls the architecture of a kernel, or of configs/arch/NAME.config
arch_of()
{
	case $1 in
	arm64*)		echo arm64 ;;
	arm-*)		echo arm ;;
	i386)		echo i386 ;;
	powerpc*)	echo powerpc ;;
	riscv*)		echo riscv ;;
	s390*)		echo s390 ;;
	sparc*)		echo sparc ;;
	*)		echo x86 ;;
	esac
}

# cross_of ARCH: what the names of its compiler and linker begin with; nothing where gcc compiles for it
cross_of()
{
	case $1 in
	arm64)		echo aarch64-linux-gnu- ;;
	arm)		echo arm-linux-gnueabihf- ;;
	powerpc)	echo powerpc64le-linux-gnu- ;;
	riscv)		echo riscv64-linux-gnu- ;;
	s390)		echo s390x-linux-gnu- ;;
	sparc)		echo sparc64-linux-gnu- ;;
	esac
}

# kernel_name KIND: the kernel of that kind for the ARCH of the environment, arm64 or this machine's
kernel_name()
{
	case ${ARCH:-} in
	'' | x86 | x86_64)	echo "$1" ;;
	*)			echo "$ARCH-$1" ;;
	esac
}

# arch_packages ARCH...: the packages that compile for these, and what boots and runs programs on arm64
arch_packages()
{
	local arch cross

	for arch; do
		cross=$(cross_of "$arch")
		[ -z "$cross" ] || echo "gcc-${cross%-}"
		[ "$arch" != arm64 ] || echo "qemu-system-arm libc6-dev-arm64-cross"
	done
}

# debian_arch ARCH: what Debian calls it
debian_arch()
{
	case $1 in
	x86)	echo amd64 ;;
	*)	echo "$1" ;;
	esac
}
