#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles what the series touches, and what includes the headers of MMU notifiers and HMM, in configurations that each
# lack a feature: configs/objects.config with one of configs/off/*.  Our own files get W=1 and sparse on top.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"
. "$(dirname "$0")/ktap.sh"
. "$(dirname "$0")/objects.sh"
export LC_ALL=C

tree=patched
own_args="W=1 KDOC_WERROR=1 C=1 CHECK=$root/scripts/sparse.sh CF=-Wsparse-error"
work=$(scratch)
trap 'rm -rf "$work"' EXIT
"$root/scripts/manifest.sh" touched | grep -v '^tools/' | grep '\.c$' > "$work/touched" || :
"$root/scripts/manifest.sh" overlay | grep -v '^tools/' | grep '\.c$' > "$work/overlay" || :

sources()
{
	cat "$work/touched"
	(cd "$out/$tree" &&
		grep -rlE --include='*.c' '#include <linux/(mmu_notifier|hmm|hmm-dma)\.h>' mm lib kernel fs)
}

check_config()
{
	local name=$1 objects own others

	build=$out/build/configs/$name
	fragments="objects arch/x86 series kunit off/$name"
	say "# configs: $name off"
	configure
	prepare "the kernel without $name"
	objects=$(select_objects < "$work/sources")
	own=$(sed 's|\.c$|.o|' "$work/overlay" | sort | comm -12 - <(echo "$objects"))
	others=$(comm -23 <(echo "$objects") <(echo "$own"))
	# shellcheck disable=SC2086 # lists of words
	[ -z "$others" ] || check_objects "configs-$name" "" $others
	# shellcheck disable=SC2086
	[ -z "$own" ] || check_objects "configs-$name-own" "$own_args" $own
}

# With a sparse that does not do, kbuild would go on without.
[ "$("$out/$tree/scripts/checker-valid.sh" "$root/scripts/sparse.sh")" = 1 ] ||
	die "this sparse cannot parse the kernel; packages: make deps"
sources | sort -u > "$work/sources"
for fragment in "$root"/configs/off/*.config; do
	check_config "$(basename "$fragment" .config)"
done
ktap_end
