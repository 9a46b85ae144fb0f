#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reads the manifest ./series: checks that it carries each patch and each overlay file exactly once, and prints
#	manifest.sh lines	its lines: PATCH [overlay-file | Kconfig:SYMBOL | MAINTAINERS]... [[tests]]
#	manifest.sh touched	the files of the kernel that the series changes or adds
#	manifest.sh overlay	those of them that lie here as whole files
. "$(dirname "$0")/lib.sh"
export LC_ALL=C

cd "$root"
tmp=$(scratch)
trap 'rm -rf "$tmp"' EXIT

lines() { grep -v -e '^#' -e '^[[:space:]]*$' series || :; }

# The words of all lines that name overlay files or entries, one per line.
carried() { lines | awk '{ for (i = 2; i <= NF; i++) if ($i != "[tests]") print $i }' | sort; }

overlay() { carried | grep -v -x -e 'Kconfig:.*' -e MAINTAINERS || :; }

# All that the manifest has to carry: what lies in directories that the kernel has too, and the entries.
present()
{
	git ls-files --cached --others --exclude-standard -- \
		arch block drivers Documentation fs include io_uring kernel lib mm samples tools virt |
	while read -r file; do
		[ ! -e "$file" ] || echo "$file"
	done
	[ ! -e MAINTAINERS ] || echo MAINTAINERS
	[ ! -e Kconfig ] || awk '/^config / { print "Kconfig:" $2 }' Kconfig
}

# complain TEXT < names: one line for each name
complain()
{
	sed "s|.*|series: &: $1|" >> "$tmp/errors"
}

check_patch()
{
	if [ ! -f "patches/$1" ]; then
		echo "$1" | complain 'no such file in patches/'
	elif ! head -n 1 "patches/$1" | grep -q '^Subject: .' || ! grep -q -x -e '---' "patches/$1"; then
		echo "$1" | complain 'wants "Subject: ..." as its first line and a line "---" before the diff'
	fi
}

check()
{
	: > "$tmp/errors"
	lines | awk '{ print $1 }' > "$tmp/listed"
	while read -r patch; do
		check_patch "$patch"
	done < "$tmp/listed"
	uniq -d "$tmp/listed" | complain 'listed twice'
	sort -c "$tmp/listed" 2> "$tmp/order" || complain 'out of order' < "$tmp/order"
	sort "$tmp/listed" > "$tmp/sorted"
	find patches -name '*.patch' -printf '%f\n' | sort | comm -23 - "$tmp/sorted" | complain 'not listed'
	carried > "$tmp/carried"
	present | sort > "$tmp/present"
	uniq -d "$tmp/carried" | complain 'carried by two lines'
	comm -23 "$tmp/present" "$tmp/carried" | complain 'carried by no line'
	uniq "$tmp/carried" | comm -13 "$tmp/present" - | complain 'carried by a line, but does not exist'
	[ ! -s "$tmp/errors" ] || { cat "$tmp/errors" >&2; exit 1; }
}

# git apply --numstat prints added, deleted and path of each file of a diff
touched()
{
	overlay
	carried | grep -x MAINTAINERS || :
	carried | sed -n 's/^Kconfig://p' | while read -r sym; do
		awk -v sym="$sym" '/^# [^ ]+, after / { place = $2; sub(/,/, "", place) }
				   $1 == "config" && $2 == sym { print place }' Kconfig
	done
	lines | while read -r patch _; do
		! grep -q '^diff --git ' "patches/$patch" || git apply --numstat -- "patches/$patch" | cut -f 3
	done
}

check
case $1 in
lines)		lines ;;
touched)	touched | sort -u ;;
overlay)	overlay ;;
*)		die "lines, touched or overlay?" ;;
esac
