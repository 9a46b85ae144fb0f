#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build one kernel and its modules: kernel.sh release|debug|stock|stock-tests,
# or bisect for bisect-series.sh: release with the first patches of the series.
# The result lies in out/build/KIND, ready for "make -C out/build/KIND M=dir".

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"

kind=${1:?which kernel}
build=$out/build/$kind

# tree and config fragments of each kind
case $kind in
release)	tree=patched fragments="base series" ;;
debug)		tree=patched fragments="base debug series kunit tests" ;;
stock)		tree=base fragments="base" ;;
stock-tests)	tree=tests fragments="base debug tests" ;;
bisect)		tree=bisect fragments="base $out/bisect.config" ;;
*)		die "no kernel '$kind': there are release, debug, stock and stock-tests" ;;
esac

# Count the objects that kbuild names: a line now and then, all of it in a log.
# A whole kernel has about 1800 of them.
progress()
{
	tee "$1" | awk -v kind="$kind" '
		BEGIN { start = last = systime() }
		/^  (CC|LD|AR|AS) / {
			n++
			if (systime() - last >= 15) {
				last = systime()
				printf "%s: %d of about 1800 objects in %d s, now %s\n",
				       kind, n, last - start, $NF
				fflush()
			}
		}
		END { if (n) printf "%s: %d objects in %d s\n", kind, n, systime() - start }' >&2
}

configure
mkdir -p "$out/log"
log=$out/log/build-$kind.log
if ! kbuild -j"$(nproc)" bzImage modules 2>&1 | progress "$log"; then
	grep -A 12 -E 'error:|warning:|Error [0-9]|ERROR:|undefined' "$log" | head -n 60 >&2
	die "the build of $kind failed; all its output is in $log"
fi
