#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the workbench itself: that what is no pass does not look like one.
# The scripts get made-up reports, programs, tools and trees, and have to say
# what is wrong with them: KTAP on standard output.
#	self.sh [NAME]...	the tests whose names begin so
# Each function of scripts/self/* whose name begins with self_ is a test. It runs
# in a shell of its own and passes if no command in it fails.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ktap.sh"

# Not for the scripts on trial: they have a root, and an output, of their own.
unset OUT TREE WITHOUT STOCK
work=$(scratch)
trap 'rm -rf "$work"' EXIT

# says FILE REGEX...: fails, with FILE, if one of these is in no line of it
says()
{
	local file=$1 regex

	shift
	for regex; do
		grep -Eq -e "$regex" "$file" || { echo "nothing here says '$regex':"; cat "$file"; return 1; }
	done
}

# silent FILE REGEX: fails, with FILE, if this is in a line of it
silent() { ! grep -E -e "$2" "$1" || { echo "'$2' should not be here:"; cat "$1"; return 1; }; }

# refuses COMMAND...: fails if this does not; what it says goes to $said
refuses() { ! "$@" >"$said" 2>&1 || { echo "this succeeds: $*"; cat "$said"; return 1; }; }

# those_with FILE REGEX: the processes in whose /proc/PID/FILE this is. Of all that the
# machine runs some have ended when grep comes to them: its status says nothing.
those_with() { { grep -alEs -e "$2" /proc/[0-9]*/"$1" || :; } | cut -d / -f 3; }

children() { those_with status "^PPid:[[:space:]]*$1\$"; }

# made_up_root: a clone at $mine with our scripts, whose output goes to $OUT
made_up_root()
{
	mkdir -p "$mine/configs" "$here/out"
	cp -r "$root/scripts" "$root/Makefile" "$mine"
	: >"$mine/configs/expected"
	export OUT=$here/out
}

for file in "$root"/scripts/self/*.sh; do
	# shellcheck source=/dev/null
	. "$file"
done
[ $# != 0 ] || set -- ''
for name; do
	for test in $(compgen -A function "self_$name"); do
		here=$work/$test mine=$work/$test/root said=$work/$test/said
		mkdir "$here"
		set +e
		(
			set -eE
			trap 'echo "fails: $BASH_COMMAND"' ERR
			trap 'jobs -p | xargs -r kill 2>/dev/null' EXIT
			"$test"
		) >"$work/log" 2>&1
		ktap_result "${test#self_}" $? "$work/log"
		set -e
	done
done
ktap_end
