#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Print the directory that has rdma-core's own tests, out/rdma-core: those that came with the pyverbs that is installed,
# unpacked from its package, as a slim system leaves out what lies in /usr/share/doc.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apt.sh"

package=python3-pyverbs
version=$(dpkg-query -W -f '${Version}' $package 2>/dev/null) || die "Debian's $package is not installed: run scripts/deps.sh rdma"
dir=$out/rdma-core/$version

unpack()
{
	configure_apt "$(codename)"
	(cd "$work" && private_apt apt-get download "$package=$version" >>"$work/log" 2>&1) ||
		{ cat "$work/log" >&2; die "the download of $package failed"; }
	dpkg-deb -x "$work"/*.deb "$work/unpacked"
	find "$work/unpacked" -path '*/tests/*.py.gz' -exec gunzip {} +
	mkdir -p "$dir.new"
	cp -r "$work/unpacked/usr/share/doc/rdma-core/tests" "$dir.new/"
	mv "$dir.new" "$dir"
}

if [ ! -e "$dir" ]; then
	work=$(scratch)
	trap 'rm -rf "$work"' EXIT
	rm -rf "$dir.new"
	unpack
fi
echo "$dir"
