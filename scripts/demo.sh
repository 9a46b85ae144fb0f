#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job: boot the patched kernel, where a process changes its memory as
# hard as it can while a device mirrors it through tracked ranges, and each byte
# that the device reads is compared with what the process holds.
#
#	demo.sh --check		only say whether the settings make sense
#	demo.sh			run it on what has been built
#
# From the environment: KERNEL (release or debug), DURATION in seconds, BREAK=1
# to let the device skip the validity check, which has to be found out. The time
# line and its plot land in out/demo.

. "$(dirname "$0")/lib.sh"

KERNEL=${KERNEL:-release}
DURATION=${DURATION:-30}
BREAK=${BREAK:-0}
dir=$out/demo
marker="== time line"

check()
{
	case $KERNEL in
	release|debug)	;;
	stock*)		die "KERNEL=$KERNEL has no tracked ranges, and no device that uses them: they come with the series. Take release or debug" ;;
	*)		die "no kernel '$KERNEL': there are release and debug" ;;
	esac
	[[ $DURATION =~ ^[1-9][0-9]{0,4}$ ]] || die "DURATION='$DURATION' is no number of seconds from 1 to 99999"
	[[ $BREAK =~ ^[01]$ ]] || die "BREAK='$BREAK' is neither 0 nor 1"
}

# Pass the output on up to the marker, and put what follows into the time line.
split()
{
	awk -v marker="$marker" -v csv="$dir/timeline.csv" '
		$0 == marker	{ after = 1; next }
		after		{ print >csv; next }
				{ print; fflush() }'
}

run()
{
	local options="--seconds $DURATION --max-size 256 --csv /tmp/timeline.csv"

	[ "$BREAK" = 0 ] || options+=" --break"
	# shellcheck disable=SC2016 # the guest's shell is to expand $?
	KERNEL=$KERNEL LOG=demo MEM=4G TIMEOUT=$((DURATION * 4 + 300)) \
		FILES="$out/selftests/patched/hmm_range_stress $root/scripts/guest/mm-setup" \
		CMD="mm-setup && hmm_range_stress $options"'; status=$?; echo "'"$marker"'"; cat /tmp/timeline.csv; exit $status' \
		"$root/scripts/boot.sh" | split
}

# One panel for each column, the seconds from left to right.
plot()
{
	local columns

	columns=$(head -n 1 "$dir/timeline.csv" | tr ',' '\n' | wc -l)
	gnuplot <<-END
		set terminal svg noenhanced size 900,$((170 * (columns - 1))) background 'white'
		set output '$dir/timeline.svg'
		set datafile separator ','
		set multiplot layout $((columns - 1)),1
		set margins 12,3,2,2
		set yrange [0:1<*]
		set ytics autofreq nomirror
		set format y '%.1s%c'
		set grid
		unset key
		do for [i=2:$columns] {
			set title system(sprintf("head -n 1 '$dir/timeline.csv' | cut -d, -f%d", i)).' per second' offset 0,-0.6
			if (i == $columns) { set xlabel 'seconds' }
			plot '$dir/timeline.csv' using 1:i with lines linewidth 2 linecolor i, 1 linecolor rgb '#ff000000'
		}
	END
}

check
[ "${1:-}" != --check ] || exit 0

mkdir -p "$dir"
rm -f "$dir"/timeline.*
say "Mirroring a live process for $DURATION s on $KERNEL$([ "$BREAK" = 0 ] || echo ", without the validity check")"
status=0
run || status=$?
[ -s "$dir/timeline.csv" ] || die "there is no time line: the run broke off (status $status)"
plot
say "Time line: $dir/timeline.csv, plot: $dir/timeline.svg"
[ "$BREAK" = 0 ] || [ "$status" != 0 ] || die "the check was left out, and nothing was found: the comparison does not work"
exit "$status"
