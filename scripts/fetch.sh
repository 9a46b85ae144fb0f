#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Put the base kernel source into out/base: the pinned Debian package, from the
# mirror that apt is configured for, or a copy of the user's TREE.
#	fetch.sh --notice	only says so if out/base is not the pinned one

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apt.sh"

package=linux-source-7.3
version=7.3.4-1~bpo13+1
suite=trixie-backports
sha256=703e369ddd4cce971452f5a593ee55df3a5c10c83caf0fa0df039633ed181ee3

base=$out/base
stamp=$out/base.origin		# says what out/base holds; written last

# What else was found on the pinned source, and may not hold on another one
notice()
{
	[ -e "$stamp" ] && [ "$(cat "$stamp")" != "$package $version" ] || return 0
	note "NOTICE: the base is $(head -n 1 "$stamp"), not $package $version. On that one were found, and may not hold here:"
	note "  configs/expected, $(grep -c '^[^#]' "$root/configs/expected") tests of the base: some may fail or be skipped that do not there, or did not run"
	note "  configs/bounds, and what README.md and hmm_speed.rst say of speed: instructions of the base (make bench)"
	note "  patches/, the diffs: one that does not fit is named, and nothing is changed"
	note "  scripts/objects.sh, the users of HMM, and configs/*.config: what is missing is named"
}

# Print the version to take: the pinned one, else the newest there is.
choose_version()
{
	local known

	known=$(private_apt apt-cache madison "$package" | awk -F ' *[|] *' '{ print $2 }')
	if grep -Fxq "$version" <<<"$known"; then
		echo "$version"
	elif [ -n "$known" ]; then
		note "$package $version is gone from $suite; taking $(head -n 1 <<<"$known")"
		head -n 1 <<<"$known"
	else
		die "$suite holds no $package; give a tree of your own with TREE="
	fi
}

fetch_package()
{
	local chosen deb

	need_space 2500 "the base source"
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
	# At a full disk tar has a line for each file.
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ -C "$work/tree" --strip-components=1 2>"$work/log" ||
		{ head -n 3 "$work/log" >&2; die "$package $chosen could not be unpacked; out/base is as it was"; }
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
	changed=$(rsync -ai --delete --exclude=/.git "$tree/" "$base/") ||
		{ rm -f "$stamp"; die "$tree could not be copied; the next call goes on with it"; }
	if [ -n "$changed" ] || [ ! -e "$stamp" ]; then
		rm -f "$stamp"
		printf 'tree %s\n%s\n' "$tree" "$(date +%s.%N)" >"$stamp"
		notice
	fi
}

[ "${1:-}" != --notice ] || { notice; exit; }
if [ -n "${TREE:-}" ]; then
	copy_tree
# A newer 7.3 that was taken because the pinned one is gone stays.
elif [ "$(cut -d ' ' -f 1 "$stamp" 2>/dev/null)" != "$package" ]; then
	work=$(scratch)
	trap 'rm -rf "$work"' EXIT
	fetch_package
	notice
fi
