#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build programs of the tree's own tools/testing/selftests/mm, static:
# selftests.sh patched|tests PROGRAM...  They land in out/selftests/TREE.

. "$(dirname "$0")/lib.sh"

tree=$1
shift
dir=$out/selftests/$tree
log=$out/log/build-selftests-$tree.log
mkdir -p "$dir/headers" "$out/log"

build()
{
	make -s -C "$out/$tree" O="$dir/headers" headers_install &&
		make -C "$out/$tree/tools/testing/selftests/mm" OUTPUT="$dir" \
			KHDR_INCLUDES="-isystem $dir/headers/usr/include" \
			LDFLAGS=-static "${@/#/$dir/}"
}

if ! build "$@" >"$log" 2>&1; then
	grep -E -A 5 'error|Error|No rule|undefined' "$log" | head -n 40 >&2
	die "the selftests did not build; all output is in $log"
fi
