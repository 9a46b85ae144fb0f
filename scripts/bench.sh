#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Count the instructions of what a driver does on stock and on release, in the
# same program (guest/bench), and hold them to configs/bounds: a table, and its
# numbers and a plot in out/bench.  CASES='snapshot-4k ...' runs some of them.

. "$(dirname "$0")/lib.sh"

dir=$out/bench
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir"

# A case is compared with others: they are run as well.
wanted=$(awk -v cases="${CASES:-}" '
	BEGIN { n = split(cases, list, " "); for (i = 1; i <= n; i++) want[list[i]] = 1 }
	/^[^#]/ && ($1 in want) { sub(/.*:/, "", $2); print $1; print $2; found++ }
	END { exit found < n }' "$root/configs/bounds" | sort -u) ||
	die "CASES='${CASES:-}': configs/bounds has $(awk '/^[^#]/ { printf "%s ", $1 }' "$root/configs/bounds")"

build()
{
	cp -r "$root/scripts/guest/bench" "$work/$1"
	if ! { make -s -C "$out/build/$1" M="$work/$1" modules &&
		gcc -O2 -static -o "$work/$1/bench" "$work/$1/bench.c"; } >"$work/log" 2>&1; then
		cat "$work/log" >&2
		die "the benchmark does not build for $1"
	fi
}

run()
{
	say "bench: running on $1"
	rm -f "$dir/$1.txt"
	KERNEL=$1 ICOUNT=1 MEM=4G TIMEOUT=900 LOG=bench-$1 FILES="$work/$1/bench $work/$1/hmm_bench.ko" \
		CMD="echo 64 >/proc/sys/vm/nr_hugepages && insmod /bin/hmm_bench.ko && bench ${wanted//$'\n'/ }" \
		"$root/scripts/boot.sh" | tee "$dir/$1.txt"
}

for kernel in stock release; do build "$kernel"; done
for kernel in stock release; do run "$kernel"; done
# shellcheck disable=SC2086 # CASES is a list of words
"$root/scripts/bench.py" "$root/configs/bounds" "$dir" ${CASES:-} || status=$?
gnuplot -e "dir='$dir'" "$root/scripts/bench.gnuplot"
say "The numbers are in $dir/bench.json, the plot in $dir/bench.svg."
exit "${status:-0}"
