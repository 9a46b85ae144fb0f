#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build one kernel and its modules: kernel.sh release|debug|stock|stock-tests.
# The result lies in out/build/KIND, ready for "make -C out/build/KIND M=dir".

. "$(dirname "$0")/lib.sh"

kind=${1:?which kernel}
build=$out/build/$kind

# tree and config fragments of each kind
case $kind in
release)	tree=patched fragments="base series" ;;
debug)		tree=patched fragments="base debug series tests" ;;
stock)		tree=base fragments="base" ;;
stock-tests)	tree=tests fragments="base debug tests" ;;
*)		die "no kernel '$kind': there are release, debug, stock and stock-tests" ;;
esac

kbuild()
{
	local cc=gcc

	! command -v ccache >/dev/null || cc="ccache gcc"
	make -C "$out/$tree" O="$build" CC="$cc" KBUILD_BUILD_USER=hmm \
		KBUILD_BUILD_HOST=workbench KBUILD_BUILD_TIMESTAMP="Thu Jan 1 1970" \
		KBUILD_BUILD_VERSION=1 "$@"
}

# Print each line of the fragments that the final configuration lacks.
dropped()
{
	awk '
		{ sub(/#.*/, "", $0) }
		FNR == NR { if (/^CONFIG_/) have[$0] = 1; next }
		/^CONFIG_[A-Z0-9_]+=/ {
			split($0, part, "=")
			want[part[1]] = $0
		}
		END {
			for (symbol in want) {
				line = want[symbol]
				off = line ~ /=n$/
				set = 0
				for (l in have)
					if (index(l, symbol "=") == 1)
						set = 1
				if (off ? set : !(line in have))
					print "  " line
			}
		}' "$@" | sort
}

# Write .config from the fragments; an unchanged configuration keeps its mtime.
configure()
{
	local files=() f lost

	for f in $fragments; do
		files+=("$root/configs/$f.config")
	done
	mkdir -p "$build"
	if [ -e "$build/.config" ] && cmp -s <(cat "${files[@]}" "$out/base.origin") "$build/.fragments"; then
		return
	fi
	rm -f "$build/.fragments"
	cat "${files[@]}" >"$build/.config.wanted"
	kbuild -s KCONFIG_ALLCONFIG="$build/.config.wanted" allnoconfig >/dev/null
	kbuild -s olddefconfig >/dev/null
	lost=$(dropped "$build/.config" "${files[@]}")
	if [ -n "$lost" ]; then
		note "The build dropped these lines of configs/{$(echo "$fragments" | tr ' ' ,)}.config:"
		note "$lost"
		die "a line of a fragment did not survive: add what it depends on"
	fi
	cat "${files[@]}" "$out/base.origin" >"$build/.fragments"
}

# Count the objects that kbuild names: a line now and then, all of it in a log.
progress()
{
	awk -v kind="$kind" -v log_file="$1" '
		BEGIN { start = last = systime() }
		{ print >log_file }
		/^  (CC|LD|AR|AS) / {
			n++
			if (systime() - last >= 15) {
				last = systime()
				printf "%s: %d objects in %d s, now %s\n", kind, n, last - start, $NF
				fflush()
			}
		}
		END { if (n) printf "%s: %d objects in %d s\n", kind, n, systime() - start }'
}

configure
mkdir -p "$out/log"
log=$out/log/build-$kind.log
if ! kbuild -j"$(nproc)" bzImage modules 2>&1 | progress "$log"; then
	grep -A 12 -E 'error:|warning:|Error [0-9]|ERROR:|undefined' "$log" | head -n 60 >&2
	die "the build of $kind failed; all its output is in $log"
fi
