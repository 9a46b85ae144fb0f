#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes one commit of the series in a tree: applies its patch, copies its overlay files, places its entries.
# usage: step.sh TREE PATCH [overlay-file | Kconfig:SYMBOL | MAINTAINERS | [tests]]...	(the words of a line of ./series)
. "$(dirname "$0")/lib.sh"

tree=$(cd "$1" && pwd -P)
patch=$2
shift 2

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
	Kconfig:* | MAINTAINERS)
		"$root/scripts/place-entries.sh" "$tree" "$word" ;;
	*)
		mkdir -p "$tree/$(dirname "$word")"
		rm -f "$tree/$word"
		cp -p "$root/$word" "$tree/$word" ;;
	esac
done
