# shellcheck shell=bash disable=SC2154 # tree, build and work are the caller's
# SPDX-License-Identifier: GPL-2.0
#
# Compiles single objects of a configured kernel, each of them a test.  Sourced, not run, after kbuild.sh and ktap.sh.
# $work is a scratch directory; the output of make goes to out/log/NAME.log.  LC_ALL=C, for what is sorted.

# prepare WHAT: what kbuild makes before it compiles the first object
prepare()
{
	kbuild -s -j"$(nproc)" prepare > "$work/prepare" 2>&1 ||
		{ tail -n 30 "$work/prepare" >&2; die "$1 cannot be prepared"; }
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

# select_objects < SOURCES: the objects of these files that this configuration has
select_objects()
{
	local dir

	sort -u > "$work/selected"
	sed 's|\(.*\)/.*|\1|' "$work/selected" | sort -u | while read -r dir; do
		[ -e "$out/$tree/$dir/Makefile" ] || continue
		objects_of "$dir"
	done | sort -u > "$work/enabled"
	sed 's|\.c$|.o|' "$work/selected" | sort -u | comm -12 - "$work/enabled"
}

# Show which object is compiled, and keep all that make says.
objects_progress()
{
	awk -v log_file="$1" -v total="$2" -v name="$3" '
		{ print > log_file }
		/^  CC .*\.o$/ && $NF !~ "^scripts/" { printf "# %s: [%d/%d] %s\n", name, ++n, total, $NF; fflush() }'
}

# objects_why LOG OBJECT: what make said about an object that failed, not more than 40 lines
objects_why()
{
	local source=${2%.o}.c

	if [ ! -e "$out/$tree/$source" ]; then
		echo "$source is not in this kernel"
	else
		sed "s|$out/$tree/||g" "$1" |
			grep -A 4 -F -e "${source##*/../}:" | grep -v -e '^make' -e '^  CC ' | head -n 40 || :
	fi
}

compile_objects()
{
	local name=$1 args=$2

	shift 2
	mkdir -p "$out/log"
	# shellcheck disable=SC2086 # a list of words
	kbuild -k -j"$(nproc)" $args "$@" 2>&1 | objects_progress "$out/log/$name.log" $# "$name"
}

# check_objects NAME "make arguments" OBJECT...: note for each whether it compiles without a warning; they are errors by
# WERROR.  The caller has made prepare.  After a failure only an object that did not exist before proves anything.
check_objects()
{
	local name=$1 object failed

	if ! compile_objects "$@"; then
		say "# $name: there are errors; compiling all of them anew"
		(cd "$build" && rm -f "${@:3}")
		compile_objects "$@" || :
	fi
	for object in "${@:3}"; do
		failed=0
		if [ ! -e "$build/$object" ] || [ ! -e "$out/$tree/${object%.o}.c" ]; then
			failed=1
			objects_why "$out/log/$name.log" "$object" > "$work/why"
		fi
		ktap_result "$name $object" $failed "$work/why"
	done
}
