# shellcheck shell=bash disable=SC2154,SC2016 # the variables are self.sh's, and a stub's
# SPDX-License-Identifier: GPL-2.0
#
# Machines, paths and disks that are made up: what deps.sh and fetch.sh do there.
# Sourced by self.sh.

# machine COMMAND...: leave in $here/bin all commands of this machine but these
machine()
{
	local name dir

	mkdir "$here/bin"
	for dir in ${PATH//:/ }; do
		[ ! -d "$dir" ] || find "$dir/" -mindepth 1 -maxdepth 1 -exec ln -sf -t "$here/bin" {} +
	done
	for name; do
		rm -f "$here/bin/$name"
	done
}

# command_for NAME < text: one that is made up
command_for()
{
	mkdir -p "$here/bin"
	rm -f "$here/bin/$1"
	{ printf '#!/bin/bash\nhere=%q\n' "$here"; cat; } >"$here/bin/$1"
	chmod +x "$here/bin/$1"
}

self_another_distribution_has_all_it_needs()
{
	made_up_root
	machine apt-get apt-cache dpkg dpkg-query
	TREE=/linux PATH=$here/bin "$mine/scripts/deps.sh" >"$said" 2>&1
	[ ! -s "$said" ]
}

self_another_distribution_is_told_what_it_lacks()
{
	made_up_root
	machine apt-get apt-cache dpkg dpkg-query sparse sphinx-build busybox
	refuses env PATH="$here/bin" "$mine/scripts/deps.sh" riscv
	says "$said" sparse sphinx-build 'static busybox' 'TREE='
	silent "$said" gnuplot
}

self_another_distribution_cannot_fetch()
{
	made_up_root
	machine apt-get apt-cache dpkg-deb
	refuses env PATH="$here/bin" "$mine/scripts/busybox.sh" arm64
	says "$said" 'no apt here' "$OUT/busybox/ARCH"
}

self_a_user_is_told_what_to_install()
{
	made_up_root
	machine sparse
	echo 'echo 1000' | command_for id
	command_for apt-get </dev/null
	refuses env PATH="$here/bin" "$mine/scripts/deps.sh"
	says "$said" '^ *sudo apt-get install .*sparse'
}

self_a_path_with_a_space_is_refused_at_once()
{
	made_up_root
	mv "$mine" "$here/a clone"
	refuses env -u OUT make -C "$here/a clone" base
	says "$said" "no path with a space" OUT=
	[ ! -e "$here/a clone/out" ]
	mv "$here/a clone" "$mine"
	refuses env OUT="$here/an output" make -C "$mine" test
	says "$said" "no path with a space"
	[ ! -e "$here/an output" ]
}

# package: a mirror with a newer version of the base than the pinned one
package()
{
	made_up_root
	mkdir -p "$here/deb/linux/mm" "$here/deb/usr/src"
	echo newer >"$here/deb/linux/mm/hmm.c"
	tar -C "$here/deb" -cJf "$here/deb/usr/src/linux-source-7.3.tar.xz" linux
	tar -C "$here/deb" -cf "$here/deb.tar" ./usr
	command_for apt-get <<-'END'
		case "$*" in
		*--print-uris*)	. /etc/os-release; echo "'http://mirror/dists/$VERSION_CODENAME/InRelease' x" ;;
		*download*)	touch linux-source.deb ;;
		esac
	END
	echo 'echo " linux-source-7.3 | 7.3.99-1 | http://mirror"' | command_for apt-cache
	echo 'cat "$here/deb.tar"' | command_for dpkg-deb
	printf 'test\tfail\ta\ntest\tskip\tb\n' >"$mine/configs/expected"
	: >"$mine/keyring"
	sed -i "s|/usr/share/keyrings/debian-archive-keyring.*; do|$mine/keyring; do|" "$mine/scripts/apt.sh"
}

fetch() { PATH=$here/bin:$PATH "$mine/scripts/fetch.sh" "$@" >"$said" 2>&1; }

self_a_newer_base_says_what_may_not_hold()
{
	package
	fetch
	[ "$(cat "$OUT/base/mm/hmm.c")" = newer ]
	says "$said" '7.3.4.* is gone' 'NOTICE: .*7.3.99' 'configs/expected, 2 tests' configs/bounds patches/
	fetch
	[ ! -s "$said" ]
	fetch --notice
	says "$said" 'NOTICE: .*7.3.99'
}

# full: that fetch.sh fails, and leaves the base as it was, and nothing else
full()
{
	mkdir "$OUT/base"
	echo old >"$OUT/base/file"
	refuses fetch
	[ "$(ls -A "$OUT/work" "$OUT/base")" = "$(printf '%s:\nfile\n\n%s:' "$OUT/base" "$OUT/work")" ]
	[ ! -e "$OUT/base.origin" ]
}

self_a_disk_without_room_is_told_before()
{
	package
	printf 'echo Filesystem\necho "disk 9 9 100 99%% /"\n' | command_for df
	mkdir "$OUT/work"
	full
	says "$said" 'takes [0-9]+ MiB, and there are 100 MiB'
}

self_a_disk_that_gets_full_leaves_nothing_half_done()
{
	package
	command_for tar <<-'END'
		case "$*" in
		*-xJ*) for n in 1 2 3 4 5 6 7 8 9; do echo "tar: f: No space left on device" >&2; done; exit 2 ;;
		esac
		exec /bin/tar "$@"
	END
	full
	says "$said" 'No space left' 'out/base is as it was'
	[ "$(wc -l <"$said")" -lt 9 ]
}
