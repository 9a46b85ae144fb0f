#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Write an initramfs: initramfs.sh OUTPUT CMD FILE...  It holds busybox, our
# init, the command, and each FILE in /bin with the libraries that it needs.
# For a guest of architecture $arch: a FILE for another one than this machine's
# is to be static.  With $modules, a directory as modprobe wants it, the guest
# gets the host's file system, which has the libraries, and a part of our
# environment.

. "$(dirname "$0")/lib.sh"

output=$1
cmd=$2
modules=${modules:-}
shift 2
dir=$(scratch)
trap 'rm -rf "$dir"' EXIT

add_libraries()
{
	local lib

	# A static binary, a script or a module has none, and ldd says so.
	{ ldd "$1" 2>/dev/null || :; } | sed -n 's|[^/]*\(/[^ ]*\).*|\1|p' | while read -r lib; do
		[ ! -e "$lib" ] || [ -e "$dir$lib" ] || install -D "$lib" "$dir$lib"
	done
}

# What guest/host and init read of us, as shell text
settings()
{
	local name size

	for name in HOME LANG LOGNAME SHELL TERM USER; do
		[ -z "${!name:-}" ] || echo "export $name=${!name@Q}"
	done
	echo "export PATH=${PATH@Q}:/usr/local/sbin:/usr/sbin:/sbin:/bin"
	echo "repository=${root@Q} modules=${modules@Q} name=${KERNEL@Q}"
	size=$(stty size 2>/dev/null) || size="24 80"
	echo "rows=${size% *} columns=${size#* }"
}

mkdir -p "$dir"/{bin,sbin,dev,proc,sys,tmp,root,etc,guest}
cp "$("$root/scripts/busybox.sh" "${arch:-x86}")" "$dir/bin/busybox"
"$("$root/scripts/busybox.sh" x86)" --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
done
cp "$root/scripts/guest/init" "$dir/guest/init"
ln -s guest/init "$dir/init"
[ -z "$cmd" ] || printf '%s\n' "$cmd" >"$dir/guest/cmd"
if [ -n "$modules" ]; then
	cp "$root/scripts/guest/host" "$dir/guest/host"
	settings >"$dir/guest/settings"
fi
for file; do
	[ -e "$file" ] || die "FILES names $file, which does not exist"
	cp -L --remove-destination -r "$file" "$dir/bin/"
	[ -n "$modules" ] || add_libraries "$file"
done
(cd "$dir" && find . | cpio -o -H newc --quiet -R 0:0) >"$output"
