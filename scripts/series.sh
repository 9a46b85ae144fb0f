#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes the series to out/series (or to DIR: series.sh DIR) as mails of git format-patch, and proves that git am of them
# on the base gives out/patched. A repository of the base's versions of the touched files is all that takes.
. "$(dirname "$0")/lib.sh"
export LC_ALL=C

ident=$(git -c user.useConfigOnly=true var GIT_AUTHOR_IDENT 2> /dev/null) ||
	die "git does not know who signs the series off; say: git config --global user.name '...', and user.email"

mails=${1:-$out/series}
work=$(scratch)
trap 'rm -rf "$work"' EXIT
repo=$work/repo
"$root/scripts/manifest.sh" lines > "$work/lines"
"$root/scripts/manifest.sh" touched > "$work/touched"

# From here on no setting of the user's git plays a part, apart from the name.
GIT_AUTHOR_NAME=${ident% <*}
GIT_AUTHOR_EMAIL=${ident##*<}
GIT_AUTHOR_EMAIL=${GIT_AUTHOR_EMAIL%%>*}
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

make_base()
{
	git init -q -b series "$repo"
	while read -r file; do
		[ -e "$out/base/$file" ] || continue
		mkdir -p "$repo/$(dirname "$file")"
		cp -p "$out/base/$file" "$repo/$file"
	done < "$work/touched"
	git -C "$repo" add -A -f
	git -C "$repo" commit -q --allow-empty -m base
	git -C "$repo" tag base
}

# commit PATCH WORD...: one commit of the series, its message from the head of the patch
commit()
{
	"$root/scripts/step.sh" "$repo" "$@"
	git mailinfo -k "$work/body" "$work/diff" < "$root/patches/$1" > "$work/info"
	{ sed -n 's/^Subject: //p' "$work/info"; echo; cat "$work/body"; } > "$work/message"
	git -C "$repo" add -A -f
	git -C "$repo" diff --cached --quiet && die "$1 changes nothing"
	git -C "$repo" commit -q -s -F "$work/message"
}

make_commits()
{
	local total n=0

	total=$(wc -l < "$work/lines")
	while read -r -a words; do
		n=$((n + 1))
		say "[$n/$total] ${words[0]}"
		commit "${words[@]}"
	done < "$work/lines"
}

format()
{
	git -C "$repo" config branch.series.description "$(cat "$root/patches/cover-letter.txt")"
	git -C "$repo" format-patch -q --cover-letter --cover-from-description=subject --signature="" \
		--diff-algorithm=histogram --no-renames --abbrev=12 -o "$work/mails" base
}

# same DIR: the touched files are the same in the repository and there
same()
{
	local file bad=0

	while read -r file; do
		cmp "$repo/$file" "$1/$file" || bad=1
		[ -x "$repo/$file" ] && [ ! -x "$1/$file" ] && { note "$file: not executable"; bad=1; }
	done < "$work/touched"
	return $bad
}

verify()
{
	local all=("$work"/mails/*.patch)

	git -C "$repo" checkout -q -f --detach base
	git -C "$repo" am -q "${all[@]:1}" > "$work/am" 2>&1 ||
		{ cat "$work/am" >&2; die "git am does not take what git format-patch wrote"; }
	same "$out/patched" || die "git am of the series does not give out/patched"
	# Other than what the build of the selftests leaves in their directory
	diff -rqN -x __pycache__ -x local_config.mk -x local_config.h_gen "$out/base" "$out/patched" | sed "s|^Files .* and $out/patched/\(.*\) differ$|\1|" | sort |
		comm -23 - "$work/touched" > "$work/alien" || :
	[ ! -s "$work/alien" ] ||
		{ cat "$work/alien" >&2; die "out/patched differs from the base in files that the series does not touch"; }
}

[ -s "$work/lines" ] || die "the manifest lists no patch"
make_base
make_commits
format
verify
rm -rf "$mails"
mv "$work/mails" "$mails"
say "${mails#"$root/"}: a cover letter and $(wc -l < "$work/lines") patches; git am of them gives out/patched"
