#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Count the instructions of what a driver does on stock and on release, in the
# same program (guest/bench), and hold them to configs/bounds: a table, and its
# numbers and a plot in out/bench.  CASES='snapshot-4k ...' runs some of them.
# What is counted does not depend on what else the machine does, so both kernels
# are counted at once.  The cases of contention take several CPUs, and so time
# instead: they are run alone, nine times on each kernel in turn.
# ARCH=arm64 counts on that machine, by configs/bounds.arm64.

. "$(dirname "$0")/lib.sh"

ARCH=${ARCH:-}
bounds=$root/configs/bounds${ARCH:+.$ARCH}
dir=$out/bench${ARCH:+-$ARCH}
work=$(scratch)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir"
read -ra asked <<<"${CASES:-}"
case $ARCH in
"")	cross='' machine=(IOMMU=1 APPEND='memmap=128M!0x110000000') kbuild_args=() ;;
arm64)	cross=aarch64-linux-gnu- machine=() kbuild_args=(ARCH=arm64 CROSS_COMPILE="$cross") ;;
*)	die "ARCH=$ARCH: only arm64, or nothing for x86" ;;
esac

"$root/scripts/bench.py" cases "$bounds" "${asked[@]}" >"$work/needed" ||
	die "CASES='${CASES:-}'"

# needs KERNEL counted|timed: print the cases
needs()
{
	awk -v kernel="$1" -v kind="$2" '
		$1 == kernel && ($2 ~ /^(legacy-)?contention/) == (kind == "timed") { print $2 }' "$work/needed"
}

build()
{
	cp -r "$root/scripts/guest/bench" "$work/$1"
	if ! { make -s -C "$out/build/${ARCH:+$ARCH-}$1" M="$work/$1/module" "${kbuild_args[@]}" modules &&
		"${cross}gcc" -O2 -Wall -static -pthread -o "$work/$1/bench" "$work/$1"/*.c; } >"$work/log" 2>&1; then
		cat "$work/log" >&2
		die "the benchmark does not build for $1"
	fi
}

# run KERNEL LOG CASE...: on x86 what lies at 4.25 GiB is persistent.
run()
{
	local kernel=$1 log=$2

	shift 2
	[ $# != 0 ] || return 0
	say "bench: $log"
	env ARCH="$ARCH" KERNEL="$kernel" MEM=4G TIMEOUT=900 LOG="$log" "${machine[@]}" \
		FILES="$work/$kernel/bench $work/$kernel/module/bench_module.ko $root/scripts/guest/bench/setup" \
		CMD="setup && bench $*" "$root/scripts/boot.sh" | tee -a "$dir/$kernel.txt" | sed "s/^/$kernel: /"
}

# shellcheck disable=SC2046 # one word a case
count() { ICOUNT=1 run "$1" "bench-${ARCH:+$ARCH-}$1" $(needs "$1" counted); }
# shellcheck disable=SC2046
measure() { SMP=4 run "$1" "bench-$1-$2" $(needs "$1" timed); }

for kernel in stock release; do build "$kernel"; done
rm -f "$dir/stock.txt" "$dir/release.txt"
touch "$dir/stock.txt" "$dir/release.txt"
failed=0
count stock &
count release || failed=$?
wait $! || failed=$?
[ "$failed" = 0 ] || die "a guest failed"
for n in {1..9}; do
	for kernel in stock release; do measure "$kernel" "$n"; done
done
"$root/scripts/bench.py" compare "$bounds" "$dir" "${asked[@]}" || status=$?
say "The numbers are in $dir/bench.json."
# Only what is compared by a ratio is plotted.
if [ -s "$dir/bench.dat" ]; then
	gnuplot -e "dir='$dir'" "$root/scripts/bench.gnuplot"
	say "The plot is in $dir/bench.svg."
fi
exit "${status:-0}"
