#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bring a patched source tree up to date: tree.sh patched (out/patched: the
# base with the whole series), tree.sh tests (out/tests: the base with the lines
# of the series that are marked [tests]), tree.sh mutants (out/mutants: as
# out/patched, to be broken by mutants.sh) or tree.sh bisect N (out/bisect: the
# base with the first N lines).  WITHOUT=NNNN leaves the line of that number out
# of out/patched, to see what it was there for.
#
# The tree is a hard-linked copy of the base.  The series is put onto a scratch
# copy of the files that it touches; only when all of it fits are the results
# moved into place, and only where the content differs, so that kbuild compiles
# what changed and nothing is ever half done.

. "$(dirname "$0")/lib.sh"

kind=${1:?patched, tests, mutants or bisect}
count=${2:-0}			# of lines, for bisect
base=$out/base
tree=$out/$kind
placed=$out/$kind.files		# the files that earlier calls put into $tree

work=$(scratch)
trap 'rm -rf "$work"' EXIT
new=$work/tree			# the touched files as they are to be

# All lines, but for the one that is left out
without()
{
	if [ -z "${WITHOUT:-}" ]; then
		cat "$work/all"
	elif ! grep -q "^$WITHOUT-" "$work/all"; then
		die "WITHOUT=$WITHOUT: there is no such line in series"
	else
		grep -v "^$WITHOUT-" "$work/all"
	fi
}

# The lines of the manifest that this tree takes.
lines()
{
	"$root/scripts/manifest.sh" lines >"$work/all"
	case $kind in
	patched)	without ;;
	mutants)	cat "$work/all" ;;
	tests)		grep -F '[tests]' "$work/all" || : ;;
	bisect)		head -n "$count" "$work/all" ;;
	*)		die "no tree '$kind': there are patched, tests, mutants and bisect" ;;
	esac
}

stage_base()
{
	local f

	mkdir "$new"
	while read -r f; do
		[ -e "$base/$f" ] || continue
		mkdir -p "$(dirname "$new/$f")"
		cp -p "$base/$f" "$new/$f"
	done <"$work/files"
}

apply_series()
{
	local words

	while read -r -a words; do
		"$root/scripts/step.sh" "$new" "${words[@]}" ||
			die "${words[0]} does not fit the base; $tree is as it was"
	done <"$work/lines"
}

# A copy of the base, which may be a link to it elsewhere, that costs no space.  Written by rename, never in place.
link_base()
{
	if [ -e "$tree" ] && cmp -s "$base.origin" "$tree.origin"; then
		return
	fi
	rm -rf "$tree" "$tree.origin" "$placed"
	mkdir "$tree"
	cp -al "$base/." "$tree"
	cp "$base.origin" "$tree.origin"
}

# place FILE FROM: give FILE of the tree the content that it has in FROM, or
# take it away.  A new mtime tells kbuild; unchanged content keeps the old one.
place()
{
	if [ ! -e "$2/$1" ]; then
		rm -f "$tree/$1"
	elif ! cmp -s "$2/$1" "$tree/$1"; then
		mkdir -p "$(dirname "$tree/$1")"
		cp "$2/$1" "$tree/$1.new" ||
			{ rm -f "$tree/$1.new"; die "$tree is not complete: $1 could not be written; call again when it can"; }
		mv -f "$tree/$1.new" "$tree/$1"
	fi
}

place_files()
{
	local f

	touch "$placed"
	cp "$placed" "$work/before"
	sort -u "$work/before" "$work/files" >"$work/either"
	cp "$work/either" "$placed"
	while read -r f; do place "$f" "$new"; done <"$work/files"
	comm -23 "$work/before" "$work/files" |
		while read -r f; do place "$f" "$base"; done
	cp "$work/files" "$placed"
}

export LC_ALL=C
lines >"$work/lines"
"$root/scripts/manifest.sh" touched >"$work/files"
stage_base
apply_series
link_base
place_files
