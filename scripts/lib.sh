# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What every script of the workbench shares: strict mode, the root of the
# clone, where output goes (OUT=, by default out/ in it), and how to speak.
# Sourced, not run.

set -euo pipefail

say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }
die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${OUT:-$root/out}
[[ $root$out != *[[:space:]:]* ]] ||
	die "make and kbuild take no path with a space or a colon in it: '$root', output to '$out'; move the clone, or set OUT="
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -z "${OUT:-}" ] || export OUT=$out	# also for scripts that run elsewhere

# kbuild must not see the variables of our own Makefile.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# scratch: print a fresh directory for this script's work, removed at its exit.
scratch()
{
	mkdir -p "$out/work"
	mktemp -d "$out/work/${0##*/}.XXXXXX"
}

# need_space MIB WHAT: end before anything is half done, if the disk cannot take it
need_space()
{
	local free

	free=$(df -Pm "$out" | awk 'END { print $4 }')
	[ "$free" -ge "$1" ] || die "$2 takes $1 MiB, and there are $free MiB free for $out; OUT= puts it elsewhere"
}
