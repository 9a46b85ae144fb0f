#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Put the base kernel source into out/base: the pinned Debian package, from the
# mirror that apt is configured for, or a copy of the user's TREE.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apt.sh"

package=linux-source-7.3
version=7.3.4-1~bpo13+1
suite=trixie-backports
sha256=703e369ddd4cce971452f5a593ee55df3a5c10c83caf0fa0df039633ed181ee3

base=$out/base
stamp=$out/base.origin		# says what out/base holds; written last

# Print the version to take: the pinned one, else the newest there is.
choose_version()
{
	local known

	known=$(private_apt apt-cache madison "$package" | awk -F ' *[|] *' '{ print $2 }')
	if grep -Fxq "$version" <<<"$known"; then
		echo "$version"
	elif [ -n "$known" ]; then
		note "NOTICE: $package $version is gone from $suite; taking $(head -n 1 <<<"$known")"
		head -n 1 <<<"$known"
	else
		die "$suite holds no $package; give a tree of your own with TREE="
	fi
}

fetch_package()
{
	local chosen deb

	say "Fetching $package $version"
	configure_apt "$suite"
	chosen=$(choose_version)
	(cd "$work" && private_apt apt-get download "$package=$chosen" >>"$work/log" 2>&1) ||
		{ cat "$work/log" >&2; die "the download of $package $chosen failed"; }
	deb=$(echo "$work"/*.deb)
	if [ "$chosen" = "$version" ]; then
		echo "$sha256  $deb" | sha256sum --quiet -c - ||
			die "$package $version is not the file that was pinned"
	fi
	say "Unpacking $package $chosen"
	mkdir "$work/tree"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ -C "$work/tree" --strip-components=1
	replace_base "$work/tree" "$package $chosen"
}

replace_base()
{
	rm -rf "$stamp" "$base"
	mv "$1" "$base"
	echo "$2" >"$stamp"
}

# The stamp changes with the content, so that the trees made of it follow.
copy_tree()
{
	local tree changed

	tree=$(cd "$TREE" 2>/dev/null && pwd) || die "TREE=$TREE is no directory"
	[ -e "$tree/mm/hmm.c" ] || die "TREE=$TREE is no Linux source tree"
	if [ -e "$tree/.config" ] || [ -e "$tree/include/config" ]; then
		die "TREE=$TREE has been built in; clean it with: make -C $TREE mrproper"
	fi
	grep -Fxq "tree $tree" <(head -n 1 "$stamp" 2>/dev/null) || rm -f "$stamp"
	say "Copying $tree"
	mkdir -p "$base"
	changed=$(rsync -ai --delete --exclude=/.git "$tree/" "$base/")
	if [ -n "$changed" ] || [ ! -e "$stamp" ]; then
		rm -f "$stamp"
		printf 'tree %s\n%s\n' "$tree" "$(date +%s.%N)" >"$stamp"
	fi
}

if [ -n "${TREE:-}" ]; then
	copy_tree
	exit
fi
# A newer 7.3 that was taken because the pinned one is gone stays.
[ "$(cut -d ' ' -f 1 "$stamp" 2>/dev/null)" != "$package" ] || exit 0
work=$(scratch)
trap 'rm -rf "$work"' EXIT
fetch_package
