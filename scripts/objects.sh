# shellcheck shell=bash disable=SC2154 # tree, build and work are the caller's
# SPDX-License-Identifier: GPL-2.0
#
# Compiles single objects of a configured kernel, each of them a test.  Sourced, not run, after kbuild.sh and ktap.sh.
# $work is a scratch directory; the output of make goes to out/log/NAME.log.

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
