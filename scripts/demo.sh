#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job: boot the patched kernel, where a process changes its memory as
# hard as it can while devices mirror it, two through tracked ranges and beside
# them two through interval notifiers, and each byte that they read is compared
# with what the process holds.
#
#	demo.sh --check		only say whether the settings make sense
#	demo.sh			run it on what has been built
#
# From the environment: KERNEL (release or debug), DURATION in seconds, BREAK=1
# to let the device skip the validity check. Then mismatches have to be found
# and named, which is success; to find none is the failure. The time line and
# its plot land in out/demo.

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
	local options="--memory anonymous --seconds $DURATION --max-size 256 --csv /tmp/timeline.csv"

	if [ "$BREAK" = 0 ]; then
		options+=" --compare"
	else
		options+=" --break"
	fi
	# shellcheck disable=SC2016 # the guest's shell is to expand $?
	KERNEL=$KERNEL LOG=demo MEM=4G TIMEOUT=$((DURATION * 4 + 300)) \
		FILES="$out/selftests/patched/hmm_range_stress $root/scripts/guest/mm-setup" \
		CMD="mm-setup && hmm_range_stress $options"'; status=$?; echo "'"$marker"'"; cat /tmp/timeline.csv; exit $status' \
		"$root/scripts/boot.sh" | split
}

# sum COLUMN: of all seconds, and of both interfaces
sum()
{
	awk -F , -v column="$1" '
		NR == 1	{ for (i = 1; i <= NF; i++) wanted[i] = $i == column || $i == "interval_" column; next }
			{ for (i = 1; i <= NF; i++) if (wanted[i]) n += $i }
		END	{ print n + 0 }' "$dir/timeline.csv"
}

# cpu_seconds TIMES: of children, from what the command times has written
cpu_seconds() { awk -F '[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$1"; }

# One panel for each column, the seconds from left to right: the tracked ranges,
# and in the same panel the interval notifiers if there are any.
plot()
{
	local columns panels

	columns=$(head -n 1 "$dir/timeline.csv" | tr ',' '\n' | wc -l)
	panels=$(head -n 1 "$dir/timeline.csv" | tr ',' '\n' | grep -vc -e '^interval_' -e '^second$')
	gnuplot <<-END
		set terminal svg noenhanced size 900,$((170 * panels)) background 'white'
		set output '$dir/timeline.svg'
		set datafile separator ','
		set multiplot layout $panels,1
		set margins 12,3,2,2
		set yrange [0:1<*]
		set ytics autofreq nomirror
		set format y '%.1s%c'
		set grid
		do for [i=2:$panels + 1] {
			name = system(sprintf("head -n 1 '$dir/timeline.csv' | cut -d, -f%d", i))
			set title (name[1:7] eq 'longest' ? name : name.' per second') offset 0,-0.6
			if (i == $panels + 1) { set xlabel 'seconds' }
			j = i + $panels - 1
			if (i > 2 && j <= $columns) {
				plot '$dir/timeline.csv' using 1:i skip 1 with lines linewidth 2 linecolor 1 title 'tracked ranges', \
					'' using 1:j skip 1 with lines linewidth 2 linecolor 2 title 'interval notifiers', \
					1 linecolor rgb '#ff000000' notitle
			} else {
				plot '$dir/timeline.csv' using 1:i skip 1 with lines linewidth 2 linecolor 1 notitle, 1 linecolor rgb '#ff000000' notitle
			}
		}
	END
}

# Say how it went. With BREAK=1 mismatches have to be there, and in words.
judge()
{
	local status=$1 mismatches named

	mismatches=$(sum mismatches)
	named=$(grep -c '^mismatch: ' "$out/log/demo.output" || :)
	if [ "$BREAK" = 0 ]; then
		[ "$mismatches" = 0 ] || die "$mismatches MISMATCHES: the device used what was stale"
		[ "$status" = 0 ] || die "the run failed, with status $status; no byte differed"
		say "No mismatch: all $(sum pages) pages that the devices read were what the process held."
		return
	fi
	[ $((mismatches * named)) != 0 ] ||
		die "BREAK=1, and NOTHING WAS FOUND: the check was left out, and the comparison does not notice"
	[ "$status" = 0 ] || die "$mismatches mismatches were found, but the run failed, with status $status"
	say "BREAK=1: the check was left out, and $mismatches mismatches were found, as they have to be; $named of them are named above."
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
times >"$dir/times"	# of this shell, so not in a subshell
say "The machine had $(cpu_seconds "$dir/times") s of CPU from this one in $SECONDS s, its start and end included; $(awk -F , 'NR > 1 && !$4' "$dir/timeline.csv" | wc -l) s of $DURATION went without progress."
judge "$status"
