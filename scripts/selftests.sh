#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build programs of the tree's own tools/testing/selftests/mm, static:
# selftests.sh patched|tests PROGRAM...  They land in out/selftests/TREE.
# kselftest gives a test 30 seconds, which one that is all right needs more than
# in an emulated guest of a busy machine: here it gets 240, less than the silence
# after which guest/suite kills the whole program.

. "$(dirname "$0")/lib.sh"

tree=$1
shift
dir=$out/selftests/$tree
log=$out/log/build-selftests-$tree.log
limits=$dir/limits/kselftest_harness.h
mkdir -p "$dir"/{headers,limits} "$out/log"

# Found before the header that it includes.
set_limits()
{
	cat >"$limits.new" <<-END
		#include_next <kselftest_harness.h>
		#undef TEST_TIMEOUT_DEFAULT
		#undef TEST_F_TIMEOUT
		#define TEST_TIMEOUT_DEFAULT 240
		#define TEST_F_TIMEOUT(fixture, name, timeout) TEST_F(fixture, name)
	END
	if cmp -s "$limits.new" "$limits"; then
		rm "$limits.new"
	else
		find "$dir" -maxdepth 1 -type f -delete
		mv "$limits.new" "$limits"
	fi
}

build()
{
	make -s -C "$out/$tree" O="$dir/headers" headers_install &&
		make -C "$out/$tree/tools/testing/selftests/mm" OUTPUT="$dir" \
			KHDR_INCLUDES="-I $dir/limits -isystem $dir/headers/usr/include" \
			LDFLAGS=-static "${@/#/$dir/}"
}

set_limits
if ! build "$@" >"$log" 2>&1; then
	grep -E -A 5 'error|Error|No rule|undefined' "$log" | head -n 40 >&2
	die "the selftests did not build; all output is in $log"
fi
