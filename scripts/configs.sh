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

# The objects that kbuild would compile in DIR in this configuration: those of obj-y, or what they are linked from.
objects_of()
{
	# shellcheck disable=SC2016 # make expands that
	printf '%s\n' "include $build/include/config/auto.conf" "src := $1" "obj := $1" \
		"srctree := $out/$tree" "objtree := $build" "include $out/$tree/$1/Makefile" \
		'.PHONY: print-objects' \
		'parts = $(or $(strip $($(1:.o=-y)) $($(1:.o=-objs))),$1)' \
		'objects := $(foreach o,$(obj-y) $(obj-m),$(call parts,$o))' \
		'print-objects: ; @printf "%s\n" $(addprefix $(src)/,$(objects))' |
		make -s -f - print-objects
}

# The objects of $work/sources that this configuration has.
select_objects()
{
	local dir

	sed 's|\(.*\)/.*|\1|' "$work/sources" | sort -u | while read -r dir; do
		[ -e "$out/$tree/$dir/Makefile" ] || continue
		objects_of "$dir"
	done | sort -u > "$work/enabled"
	sed 's|\.c$|.o|' "$work/sources" | sort -u | comm -12 - "$work/enabled"
}

check_config()
{
	local name=$1 objects own others

	build=$out/build/configs/$name
	fragments="objects off/$name"
	kbuild_args=(ARCH=x86)
	say "# configs: $name off"
	configure
	kbuild -s -j"$(nproc)" prepare > "$work/prepare" 2>&1 ||
		{ tail -n 30 "$work/prepare" >&2; die "the kernel without $name cannot be prepared"; }
	objects=$(select_objects)
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
