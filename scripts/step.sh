#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes one commit of the series in a tree: applies its patch, copies its overlay files, places its entries.
# usage: step.sh TREE PATCH [overlay-file | Kconfig:SYMBOL | MAINTAINERS | [tests]]...	(the words of a line of ./series)
# An entry goes where the kernel keeps its like: that of a symbol in ./Kconfig into the Kconfig file that the line above it
# names, the lines of ./MAINTAINERS into the sections of the same title.  A file is replaced, never written to: the tree
# may share its files with the base by hard links.
. "$(dirname "$0")/lib.sh"
export LC_ALL=C

tree=$(cd "$1" && pwd -P)
patch=$2
shift 2

# "# lib/Kconfig.debug, after TEST_HMM" above "config SYMBOL": prints "lib/Kconfig.debug TEST_HMM"
kconfig_place()
{
	awk -v sym="$1" '
		/^# [^ ]+, after [A-Z0-9_]+$/ { place = $2 " " $4; sub(/,/, "", place); next }
		$1 == "config" && $2 == sym   { print place; exit }
		/^config /                    { place = "" }' "$root/Kconfig"
}

# The text of one entry, without the place line of the next and without blank lines at its end.
kconfig_entry()
{
	awk -v sym="$1" '
		/^# [^ ]+, after [A-Z0-9_]+$/ { on = 0 }
		/^config /                    { on = ($2 == sym) }
		on && /^$/                    { blank = blank "\n"; next }
		on                            { printf "%s%s\n", blank, $0; blank = "" }' "$root/Kconfig"
}

# An entry of a Kconfig file ends where the next line starts in the first column.
place_kconfig()
{
	local place file

	place=$(kconfig_place "$1")
	[ -n "$place" ] || die "Kconfig: no entry $1, or no line '# FILE, after SYMBOL' above it"
	file=$tree/${place% *}
	grep -qx "config $1" "$file" && die "${place% *} has an entry $1 already"
	kconfig_entry "$1" > "$file.entry"
	cp -p "$file" "$file.new"
	if ! awk -v after="${place#* }" -v new="$file.entry" '
		function put(line) {
			while ((getline line < new) > 0)
				print line
			print ""
			done = 1
		}
		found && !done && /^[^ \t]/ { put() }
		$1 ~ /^(menu)?config$/ && $2 == after { found = 1 }
		{ print }
		END { exit !done }' "$file" > "$file.new"; then
		rm -f "$file.new" "$file.entry"
		die "${place% *}: found no entry ${place#* } with another one behind it"
	fi
	mv "$file.new" "$file"
	rm -f "$file.entry"
}

# Our F: lines go among those of the section, which are sorted.
place_maintainers()
{
	local file=$tree/MAINTAINERS

	cp -p "$file" "$file.new"
	if ! awk '
		function flush(limit) {
			while (title in next_of && next_of[title] <= count[title] &&
			       (limit == "" || ours[title, next_of[title]] < limit)) {
				print ours[title, next_of[title]++]
				left--
			}
		}
		NR == FNR && /^#/ { next }
		NR == FNR && /^F:\t/ { ours[title, ++count[title]] = $0; left++; next }
		NR == FNR { if ($0 != "") { title = $0; next_of[title] = 1; count[title] += 0 } next }
		FNR == 1 { title = "" }
		$0 in next_of { title = $0 }
		/^F:\t/ { flush($0); files = 1 }
		files && !/^F:\t/ { flush(""); files = 0; title = "" }
		{ print }
		END { exit left != 0 }' "$root/MAINTAINERS" "$file" > "$file.new"; then
		rm -f "$file.new"
		die "MAINTAINERS: a section of ours is not in the kernel's file"
	fi
	mv "$file.new" "$file"
}

# The tree may lie below a repository that is not its own: git must not take that one for it.
if grep -q '^diff --git ' "$root/patches/$patch" &&
   ! (cd "$tree" && GIT_CEILING_DIRECTORIES=$(dirname "$tree") \
      git apply --whitespace=nowarn -- "$root/patches/$patch"); then
	die "patches/$patch does not fit, see the lines above"
fi

for word; do
	case $word in
	"[tests]")
		;;
	Kconfig:?*)
		place_kconfig "${word#Kconfig:}" ;;
	MAINTAINERS)
		place_maintainers ;;
	*)
		mkdir -p "$tree/$(dirname "$word")"
		rm -f "$tree/$word"
		cp -p "$root/$word" "$tree/$word" ;;
	esac
done
