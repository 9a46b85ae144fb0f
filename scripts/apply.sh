#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts out/series onto TREE, a kernel tree of the user's own: with git am, or with git apply if it is no repository.
# All of it is tried on a scratch copy of the touched files first; what does not fit there leaves TREE as it is.
. "$(dirname "$0")/lib.sh"

[ -n "${TREE:-}" ] || die "say which kernel tree: make apply TREE=dir"
tree=$(cd "$TREE" 2> /dev/null && pwd -P) || die "TREE=$TREE is no directory"
[ -e "$tree/mm/mmu_notifier.c" ] || die "TREE=$TREE is no Linux source tree"
mails=("$out"/series/*.patch)
mails=("${mails[@]:1}")			# without the cover letter
work=$(scratch)
trap 'rm -rf "$work"' EXIT
copy=$work/copy

in_git() { git -C "$tree" "$@"; }

is_git() { [ -e "$tree/.git" ]; }

# Only a tree that git am can bring back to what it was.
check_clean()
{
	local state changed

	for state in rebase-apply rebase-merge MERGE_HEAD CHERRY_PICK_HEAD; do
		[ ! -e "$(in_git rev-parse --path-format=absolute --git-path "$state")" ] ||
			die "$tree is in the middle of an am, rebase, merge or cherry-pick: finish that first"
	done
	changed=$(in_git status --porcelain --untracked-files=no)
	[ -z "$changed" ] || { note "$changed"; die "$tree has uncommitted changes: commit or stash them first"; }
	in_git var GIT_COMMITTER_IDENT > /dev/null || die "git am needs your name, see above"
}

# The touched files of the tree, as a repository where a failure does no harm.
copy_touched()
{
	local file

	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	git init -q "$copy"
	git -C "$copy" config user.name scratch
	git -C "$copy" config user.email scratch
	"$root/scripts/manifest.sh" touched | while read -r file; do
		[ -e "$tree/$file" ] || continue
		mkdir -p "$copy/$(dirname "$file")"
		cp "$tree/$file" "$copy/$file"
	done
	git -C "$copy" add -A -f
	git -C "$copy" commit -q --allow-empty -m "$tree"
}

# Print "FILE: hunk #N @@ ..." for each hunk of a mail that the scratch copy rejects, and files that are in the way.
explain()
{
	git -C "$copy" am --abort
	git -C "$copy" apply --reject "$1" 2>&1 | awk -v copy="$copy" '
		/^error: .*: already exists/ { sub(/^error: /, ""); print "  " $0 }
		/^error: .*: No such file/ { sub(/^error: /, ""); print "  " $0 }
		/^Applying patch .* with / { file = $3 }
		/^Rejected hunk #/ {
			do
				more = (getline hunk < (copy "/" file ".rej"))
			while (more > 0 && hunk !~ /^@@/)
			sub(/\.$/, "", $3)
			print "  " file ": hunk " $3 " " hunk
		}' >&2
}

try()
{
	local mail

	for mail in "${mails[@]}"; do
		git -C "$copy" am -q "$mail" > "$work/am" 2>&1 && continue
		explain "$mail" || :
		die "out/series/${mail##*/} does not fit, see above; $tree is as it was"
	done
}

put()
{
	if is_git; then
		in_git am -q "${mails[@]}" && return
		in_git am --abort || :
	else
		# Several mails at once: all or nothing. The tree may lie below a repository that is not its own.
		(cd "$tree" && cat "${mails[@]}" |
			GIT_CEILING_DIRECTORIES=$(dirname "$tree") git apply --whitespace=nowarn) && return
	fi
	die "it fitted a copy of the files, but not the tree, see above; $tree is as it was"
}

! is_git || check_clean
(copy_touched; try)
put
say "${#mails[@]} patches are on $tree"
