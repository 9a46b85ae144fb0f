#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles what the series touches, with WERROR, for each architecture of configs/arch: arches.sh [NAME]...
# Those of which there is a kernel to boot are compiled where that is built, so that it is done once.  The name bisect is
# for bisect-series.sh: arm64, with the first patches of the series.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"
. "$(dirname "$0")/ktap.sh"
. "$(dirname "$0")/objects.sh"
export LC_ALL=C

work=$(scratch)
trap 'rm -rf "$work"' EXIT

# The architectures that are not this machine's
all_names()
{
	find "$root/configs/arch" -name '*.config' ! -name x86.config -printf '%f\n' | sed 's/\.config$//' | sort
}

choose()
{
	case $1 in
	arm64-4k | arm64-64k)
		choose_kernel "$1" ;;
	bisect)
		tree=bisect build=$out/build/arches/bisect arch=arm64
		fragments="objects arch/arm64-4k $out/bisect-arm64.config" ;;
	*)
		tree=patched build=$out/build/arches/$1 arch=$(arch_of "$1")
		fragments="objects series kunit tests arch/$1" ;;
	esac
}

check_arch()
{
	local objects

	choose "$1"
	say "# arches: $1"
	configure
	prepare "the kernel for $1"
	objects=$(select_objects < "$work/sources")
	[ -n "$objects" ] || die "the configuration of $1 has nothing that the series touches"
	# shellcheck disable=SC2086 # a list of words
	check_objects "arches-$1" "" $objects
}

"$root/scripts/manifest.sh" touched | grep -v '^tools/' | grep '\.c$' > "$work/sources"
if [ $# = 0 ]; then
	mapfile -t names < <(all_names)
	set -- "${names[@]}"
fi
for name; do
	check_arch "$name"
done
ktap_end
