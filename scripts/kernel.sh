#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build one kernel and its modules: kernel.sh
# release|release-kunit|debug|trace|stock|stock-tests, or bisect for bisect-series.sh:
# release with the first patches of the series; or mutants for mutants.sh.
# For arm64: kernel.sh arm64-release|arm64-stock, with pages of 4 KiB, and
# arm64-4k|arm64-64k, which run KUnit; ARCH=arm64 kernel.sh release is the same
# as the first of them.
# The result lies in out/build/KIND, ready for "make -C out/build/KIND M=dir".

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"

kind=$(kernel_name "${1:?which kernel}")
choose_kernel "$kind"
image=bzImage
objects=1800
if [ "$arch" != x86 ]; then
	image=Image
	objects=1200
	"$root/scripts/deps.sh" "$arch"
fi

# Count the objects that kbuild names: a line now and then, all of it in a log.
progress()
{
	tee "$1" | awk -v kind="$kind" -v objects="$objects" '
		BEGIN { start = last = systime() }
		/^  (CC|LD|AR|AS) / {
			n++
			if (systime() - last >= 15) {
				last = systime()
				printf "%s: %d of about %d objects in %d s, now %s\n",
				       kind, n, objects, last - start, $NF
				fflush()
			}
		}
		END { if (n) printf "%s: %d objects in %d s\n", kind, n, systime() - start }' >&2
}

configure
mkdir -p "$out/log"
log=$out/log/build-$kind.log
if ! kbuild -j"$(nproc)" "$image" modules 2>&1 | progress "$log"; then
	grep -A 12 -E 'error:|warning:|Error [0-9]|ERROR:|undefined' "$log" | head -n 60 >&2
	die "the build of $kind failed; all its output is in $log"
fi
