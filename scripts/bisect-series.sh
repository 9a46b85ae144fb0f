#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds and boots the kernel release after each patch of the series, so that a bisection of it never lands on a kernel
# that does not come up, and compiles for arm64 what the series touches.  FROM=N starts with the Nth patch.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ktap.sh"

work=$(scratch)
trap 'rm -rf "$work"' EXIT

# known_config FILE...: the lines of these fragments whose symbols are in the Kconfig files by now
known_config()
{
	local line

	grep -h '^CONFIG_' "$@" | while read -r line; do
		line=${line#CONFIG_}
		! grep -Eqx "(menu)?config ${line%%=*}" "$out"/bisect/{mm,lib,samples}/Kconfig* || echo "CONFIG_$line"
	done
}

build_and_boot()
{
	"$root/scripts/tree.sh" bisect "$1" || return
	known_config "$root/configs/series.config" > "$out/bisect.config"
	known_config "$root"/configs/{series,kunit,tests}.config > "$out/bisect-arm64.config"
	"$root/scripts/kernel.sh" bisect || return
	"$root/scripts/objects.sh" arches bisect || return
	KERNEL=bisect CMD=true LOG="bisect-$1" TIMEOUT=120 "$root/scripts/boot.sh"
}

"$root/scripts/deps.sh" arm64
"$root/scripts/manifest.sh" lines > "$work/lines"
total=$(wc -l < "$work/lines")
n=0
while read -r patch _; do
	n=$((n + 1))
	[ "$n" -ge "${FROM:-1}" ] || continue
	say "# bisect: [$n/$total] $patch"
	status=0
	build_and_boot "$n" < /dev/null 2>&1 | tee "$work/log" || status=1
	ktap_result "$patch" $status "$work/log"
done < "$work/lines"
ktap_end
