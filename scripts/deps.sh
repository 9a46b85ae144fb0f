#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# See that all is there that the workbench needs: deps.sh [ARCH | tracing | rdma]...  Each thing
# is found by what it is, a command, a header, a library, not by the name of a
# package, so another distribution will do.  On Debian root gets what is missing
# installed; any other user is told the command.  Silent when nothing is missing.
# For each ARCH, as kbuild calls it, what compiles for it is wanted too, for tracing
# bpftrace, for rdma what rdma-core's tests take: only some suites ask for these.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"

packages="bc bison build-essential busybox-static ccache cpio flex git gnuplot-nox kmod libcap-dev libelf-dev
	libnuma-dev libssl-dev liburing-dev python3 python3-sphinx qemu-system-x86 rsync shellcheck sparse spin util-linux
	xz-utils $(arch_packages "$@")"
[[ " $* " != *" tracing "* ]] || packages+=" bpftrace"
[[ " $* " != *" rdma "* ]] || packages+=" ibverbs-providers iproute2 python3-pyverbs"
# Only who fetches the base has to verify it.
if [ -z "${TREE:-}" ] && [ ! -e "$out/base.origin" ]; then
	packages+=" debian-archive-keyring"
fi

# Each of these prints what is missing.
commands()
{
	local name

	for name; do
		command -v "$name" >/dev/null || echo "$name"
	done
}

header() { echo "#include <$1>" | gcc -E - >/dev/null 2>&1 || echo "$1"; }

# What the compiler does not find it prints without a path.
library() { [[ $("$1" -print-file-name="$2" 2>/dev/null) == /* ]] || echo "$2 for $1"; }

# lacks PACKAGE: what of it is missing here
lacks()
{
	case $1 in
	build-essential)	commands gcc ld make perl; library gcc libc.a ;;
	busybox-static)		"$root/scripts/busybox.sh" x86 >/dev/null 2>&1 || echo "a static busybox" ;;
	debian-archive-keyring)	commands apt-get dpkg-deb; compgen -G "/usr/share/keyrings/$1.*" >/dev/null || echo "its keyring" ;;
	gcc-*)			commands "${1#gcc-}-gcc" ;;
	gnuplot-nox)		commands gnuplot ;;
	ibverbs-providers)	compgen -G "/usr/lib*/*/libibverbs/librxe-*.so" >/dev/null || echo "rxe for libibverbs" ;;
	iproute2)		PATH=$PATH:/usr/sbin:/sbin commands ip rdma ;;
	libc6-dev-arm64-cross)	library aarch64-linux-gnu-gcc libc.a ;;
	libcap-dev)		header sys/capability.h; library gcc libcap.a ;;
	libelf-dev)		header libelf.h ;;
	libnuma-dev)		header numa.h; library gcc libnuma.a ;;
	libssl-dev)		header openssl/ssl.h ;;
	liburing-dev)		header liburing.h; library gcc liburing.a ;;
	python3-pyverbs)	/usr/bin/python3 -c "import pyverbs" 2>/dev/null || echo "pyverbs for /usr/bin/python3" ;;
	python3-sphinx)		commands sphinx-build ;;
	qemu-system-arm)	commands qemu-system-aarch64 ;;
	qemu-system-x86)	commands qemu-system-x86_64 ;;
	util-linux)		commands flock setpriv ;;
	xz-utils)		commands xz ;;
	*)			commands "$1" ;;
	esac
}

# Leave the packages that bring what is missing in $need, and the list of that in $list.
look()
{
	local package what

	need="" list=""
	for package in $packages; do
		what=$(lacks "$package" | paste -sd , | sed 's/,/, /g')
		[ -z "$what" ] || { need+="$package "; list+="    $what (Debian: $package)"$'\n'; }
	done
}

look
[ -n "$need" ] || exit 0
if ! command -v apt-get >/dev/null; then
	note "This machine lacks:"
	note "${list%$'\n'}"
	[[ $need != *keyring* ]] || note "Without apt the base cannot be fetched: give a kernel tree of your own, TREE=dir"
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	note "Packages are missing. Install them with:"
	note "    sudo apt-get install --no-install-recommends ${need% }"
	exit 1
fi

say "Installing: ${need% }"
log=$out/deps.log
export DEBIAN_FRONTEND=noninteractive
apt="timeout 600 apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3"
# shellcheck disable=SC2086 # lists of words
if ! { $apt update && $apt install -y --no-install-recommends $need; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	die "apt could not install the packages; its output is in $log"
fi
look
[ -z "$need" ] || { note "${list%$'\n'}"; die "still missing after the installation"; }
