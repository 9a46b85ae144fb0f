#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# That the series goes through git am, and the kernel's own checks of style on what it brings: checkpatch on each mail,
# kernel-doc on our files and on what the series changes, Sphinx on our documents and their tables against those of the
# tests, MAINTAINERS for each file. All scripts go through shellcheck.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ktap.sh"
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
shopt -s nullglob

patched=$out/patched
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mails=$work/mails
"$root/scripts/manifest.sh" overlay > "$work/overlay"
"$root/scripts/manifest.sh" touched > "$work/touched"

# check NAME COMMAND...: a test that passes if the command does
check()
{
	local name=$1 status=0

	shift
	"$@" > "$work/log" 2>&1 || status=1
	[ $status = 0 ] || say "# lint: $name failed"
	ktap_result "$name" $status "$work/log"
}

# A mail never shows whether a file that it adds is in MAINTAINERS; check_maintained looks.
check_patch()
{
	(cd "$patched" && ./scripts/checkpatch.pl --strict --quiet --no-summary --showfile --show-types \
		--ignore FILE_PATH_CHANGES "$1")
}

kernel_doc() { (cd "$patched" && ./scripts/kernel-doc "$@"); }

# No warning at all in a file of ours, and a description of all that it exports.
check_own_doc()
{
	kernel_doc -none -Wall -Werror "$1" || return
	sed -n 's/^EXPORT_SYMBOL[A-Z_]*(\([a-z0-9_]*\).*/\1/p' "$patched/$1" | sort > "$work/exported"
	[ -s "$work/exported" ] || return 0
	kernel_doc -rst "$1" | sed -n 's/^\.\. c:function:: [^(]*[ *]\([a-z0-9_]*\) (.*/\1/p' | sort > "$work/described"
	sed 's/$/: exported, without kernel-doc/' < <(comm -23 "$work/exported" "$work/described") > "$work/bare"
	cat "$work/bare"
	[ ! -s "$work/bare" ]
}

doc_warnings()
{
	(cd "$1" && ./scripts/kernel-doc -none -Wall "$2" 2>&1) | sed 's/:[0-9][0-9]*//' | sort
}

# Not one warning more than the base has, in a file that the series only changes.
check_changed_doc()
{
	comm -13 <(doc_warnings "$out/base" "$1") <(doc_warnings "$patched" "$1") > "$work/new"
	cat "$work/new"
	[ ! -s "$work/new" ]
}

# One document as the kernel's own htmldocs reads it: the code that it quotes and the kernel-doc that it takes in have to
# be there.  A configuration of its own, because the kernel's reads all documents there are.
check_document()
{
	PYTHONPATH=$patched/Documentation/sphinx srctree=$patched sphinx-build -q -E -W --keep-going -C -b dummy \
		-D extensions=kerneldoc -D kerneldoc_srctree="$patched" -D highlight_language=none \
		-D include_patterns="$1.rst" -D root_doc="$1" "$patched/Documentation" "$work/sphinx"
}

check_maintained()
{
	(cd "$patched" && ./scripts/get_maintainer.pl --sections --no-git --no-git-fallback -f "$1") > "$work/sections"
	! head -n 1 "$work/sections" | grep -x -e 'THE REST' -e ''
}

# Every file here that starts as a shell script does.
shell_scripts()
{
	git -C "$root" ls-files --cached --others --exclude-standard | while read -r file; do
		if [ -f "$root/$file" ] && head -n 1 "$root/$file" | grep -Eq '^#!.*sh|^# shellcheck shell='; then
			echo "$file"
		fi
	done
}

# Any name will do to check the mails.
git -c user.useConfigOnly=true var GIT_AUTHOR_IDENT > /dev/null 2>&1 ||
	export GIT_AUTHOR_NAME=Nobody GIT_AUTHOR_EMAIL=nobody@localhost
say "# lint: git format-patch and git am"
check series "$root/scripts/series.sh" "$mails"
say "# lint: checkpatch"
for mail in "$mails"/*.patch; do
	check "checkpatch ${mail##*/}" check_patch "$mail"
done
say "# lint: kernel-doc"
while read -r file; do
	if grep -Fqx "$file" "$work/overlay"; then
		check "kernel-doc $file" check_own_doc "$file"
	else
		check "kernel-doc $file" check_changed_doc "$file"
	fi
done < <(grep '\.[ch]$' "$work/touched")
say "# lint: documents"
while read -r file; do
	file=${file#Documentation/}
	check "sphinx $file" check_document "${file%.rst}"
done < <(grep '^Documentation/.*\.rst$' "$work/overlay")
for tables in walk gup tests; do
	check "tables $tables" "$root/scripts/tables.py" $tables
done
say "# lint: MAINTAINERS"
while read -r file; do
	check "maintained $file" check_maintained "$file"
done < "$work/overlay"
say "# lint: shellcheck"
while read -r file; do
	check "shellcheck $file" shellcheck -P "$root/scripts" -x "$root/$file"
done < <(shell_scripts)
ktap_end
