#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Count the instructions of what a driver does on stock and on release, in the
# same program (guest/bench), and hold them to configs/bounds: a table, and its
# numbers and a plot in out/bench.  CASES='snapshot-4k ...' runs some of them.
# The cases of contention take several CPUs, and so time instead: they are run
# five times on each kernel in turn.

. "$(dirname "$0")/lib.sh"

dir=$out/bench
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir"

# A case is compared with others: they are run as well.
wanted=$(awk -v cases="${CASES:-$(awk '/^[^#]/ { printf "%s ", $1 }' "$root/configs/bounds")}" '
	BEGIN { n = split(cases, list, " "); for (i = 1; i <= n; i++) want[list[i]] = 1 }
	/^[^#]/ && ($1 in want) { sub(/.*:/, "", $2); print $1; print $2; found++ }
	END { exit found < n }' "$root/configs/bounds" | sort -u) ||
	die "CASES='${CASES:-}': configs/bounds has $(awk '/^[^#]/ { printf "%s ", $1 }' "$root/configs/bounds")"

build()
{
	cp -r "$root/scripts/guest/bench" "$work/$1"
	if ! { make -s -C "$out/build/$1" M="$work/$1" modules &&
		gcc -O2 -static -pthread -o "$work/$1/bench" "$work/$1/bench.c"; } >"$work/log" 2>&1; then
		cat "$work/log" >&2
		die "the benchmark does not build for $1"
	fi
}

# run KERNEL LOG CASE...: what lies at 4.25 GiB is persistent.
run()
{
	local kernel=$1 log=$2

	shift 2
	[ $# != 0 ] || return 0
	say "bench: $log"
	KERNEL=$kernel MEM=4G TIMEOUT=900 LOG=$log IOMMU=1 APPEND='memmap=128M!0x110000000' \
		FILES="$work/$kernel/bench $work/$kernel/hmm_bench.ko $root/scripts/guest/bench/setup" \
		CMD="setup && bench $*" "$root/scripts/boot.sh" | tee -a "$dir/$kernel.txt"
}

mapfile -t counted < <(grep -v '^contention' <<<"$wanted")
mapfile -t timed < <(grep '^contention' <<<"$wanted")
for kernel in stock release; do build "$kernel"; done
rm -f "$dir/stock.txt" "$dir/release.txt"
for kernel in stock release; do ICOUNT=1 run "$kernel" "bench-$kernel" "${counted[@]}"; done
for n in 1 2 3 4 5; do
	for kernel in stock release; do SMP=4 run "$kernel" "bench-$kernel-$n" "${timed[@]}"; done
done
# shellcheck disable=SC2086 # CASES is a list of words
"$root/scripts/bench.py" "$root/configs/bounds" "$dir" ${CASES:-} || status=$?
say "The numbers are in $dir/bench.json."
# Only what is compared by a ratio is plotted.
if [ -s "$dir/bench.dat" ]; then
	gnuplot -e "dir='$dir'" "$root/scripts/bench.gnuplot"
	say "The plot is in $dir/bench.svg."
fi
exit "${status:-0}"
