#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print the path of a static busybox for the guest: busybox.sh ARCH.  That of another architecture than this machine's is
# fetched from the machine's mirror, without telling dpkg of that architecture.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"
. "$(dirname "$0")/apt.sh"

arch=${1:?for which architecture}
busybox=$out/busybox/$arch

fetch_busybox()
{
	local debian

	debian=$(debian_arch "$arch")
	configure_apt "$(codename)" "$debian"
	(cd "$work" && private_apt apt-get download "busybox-static:$debian" >>"$work/log" 2>&1) ||
		{ cat "$work/log" >&2; die "the download of busybox-static for $arch failed"; }
	dpkg-deb -x "$work"/*.deb "$work/unpacked"
	mkdir -p "${busybox%/*}"
	mv "$work/unpacked/bin/busybox" "$busybox"
}

# The first busybox of this machine that wants no libraries, whatever it is called
own_busybox()
{
	local name path

	for name in busybox busybox-static busybox.static; do
		path=$(type -P "$name") || continue
		ldd "$path" >/dev/null 2>&1 || { echo "$path"; return; }
	done
	die "there is no static busybox here"
}

if [ "$arch" = x86 ]; then
	busybox=$(own_busybox)
elif [ ! -e "$busybox" ]; then
	work=$(scratch)
	trap 'rm -rf "$work"' EXIT
	fetch_busybox
fi
echo "$busybox"
