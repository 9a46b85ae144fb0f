# shellcheck shell=bash disable=SC2154,SC2016,SC2028 # the variables are self.sh's, and a stub's
# SPDX-License-Identifier: GPL-2.0
#
# Runs of test.sh with suites that are made up.  Sourced by self.sh.

# stub SCRIPT < text: put this in the place of one of our scripts
stub()
{
	{ printf '#!/bin/bash\nset -eu\nmine=%q here=%q dir=%q\n' "$mine" "$here" "$OUT/log/test"; cat; } >"$mine/scripts/$1"
	chmod +x "$mine/scripts/$1"
}

# suites < text: a root in which nothing is fetched or built, and in which this
# is what the suite $1 does; unless it says otherwise it passes
suites()
{
	local script

	made_up_root
	mkdir -p "$mine"/{include,lib,mm/tests,patches,samples} "$OUT/build/release/arch/x86/boot"
	touch "$mine"/{Kconfig,series,include/hmm.h} "$mine"/mm/{hmm_array.h,hmm_dma.c,hmm_internal.h,hmm_range.c} \
		"$mine/mm/tests/hmm_dma_edu_kunit.c" "$OUT/build/release/arch/x86/boot/bzImage"
	echo made up >"$OUT/base.origin"
	for script in deps fetch kernel selftests tree; do
		stub $script.sh </dev/null
	done
	echo 'echo tcg' | stub accel.sh
	{
		echo '[ "$1" != --needs ] || exit 0'
		echo 'pass() { printf "KTAP version 1\n1..1\nok 1 - it\n"; }'
		cat
		echo 'pass >"$dir/$1.ktap"'
	} | stub suite.sh
}

run() { timeout 500 "$mine/scripts/test.sh" "$@" >"$said" 2>&1; }

# gone PID: it has ended, whether or not somebody has asked how
gone() { ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }

# until_it COMMAND...: wait, but not for ever
until_it()
{
	local n

	for ((n = 0; n < 600; n++)); do
		! "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "this did not come true: $*"
	return 1
}

self_suites_that_pass()
{
	suites </dev/null
	run one two
	says "$said" 'one: 1 passed, 0 failed' '^2 passed, 0 failed$'
	[ ! -e "$mine/out" ]	# all output is in OUT
}

self_a_lost_result_is_a_failure()
{
	suites <<-'END'
		if [ "$1" = two ]; then
			until [ -e "$dir/one.results" ]; do sleep 0.1; done
			rm "$dir"/one.*
		fi
	END
	refuses run one two
	says "$said" 'one: .no result' '^1 passed, 1 failed$'
}

self_a_suite_without_a_report_is_a_failure()
{
	suites <<<'[ "$1" != one ] || exit 0'
	refuses run one two
	says "$said" 'one: .no report' '^1 passed, 1 failed$'
}

# Who has the last lines alone, such as of a machine that is gone, can see why.
self_a_failure_says_why()
{
	suites <<-'END'
		printf 'KTAP version 1\n1..2\nok 1 - it\n# 7 is not 8\nnot ok 2 - other\n' >"$dir/$1.ktap"
		exit 1
	END
	refuses run one
	says "$said" 'one: other' '[|] # 7 is not 8$' '^1 passed, 1 failed$'
}

self_a_result_that_nobody_could_write_is_a_failure()
{
	suites </dev/null
	echo 'exit 0' | stub results.py
	refuses run one
	says "$said" '^0 passed, 1 failed$'
}

self_one_run_at_a_time()
{
	suites <<<'touch "$here/started"; until [ -e "$here/go" ]; do sleep 0.1; done'
	"$mine/scripts/test.sh" one >"$here/first" 2>&1 &
	until_it [ -e "$here/started" ]
	refuses timeout 100 "$mine/scripts/test.sh" two
	says "$said" "another make test .* process $!" OUT=
	touch "$here/go"
	wait $!
	says "$here/first" '^1 passed, 0 failed$'
}

self_what_is_killed_leaves_nothing()
{
	suites <<<'echo $$ >"$here/pid"; exec sleep 1000'
	"$mine/scripts/test.sh" one >"$said" 2>&1 &
	until_it [ -s "$here/pid" ]
	children $! >>"$here/pid"
	[ "$(wc -l <"$here/pid")" -ge 3 ]		# with what runs the suite, and who watches it
	kill -KILL $!
	while read -r pid; do
		until_it gone "$pid"
	done <"$here/pid"
}

# term_leaves_nothing SUITE: a run is ended, and with it what the script below it has started and told of
term_leaves_nothing()
{
	"$mine/scripts/test.sh" "$1" >"$said" 2>&1 &
	until_it [ -s "$here/pid" ]
	kill -TERM $!
	until_it gone "$(cat "$here/pid")"
}

# A build's compilers, of which make would start more and more
self_a_build_that_is_killed_leaves_nothing()
{
	suites </dev/null
	sed -i 's/--needs \] || exit 0/--needs ] || { echo kernel release; exit; }/' "$mine/scripts/suite.sh"
	stub kernel.sh <<<'sleep 1000 & echo $! >"$here/pid"; wait'
	term_leaves_nothing one
}

# What a suite starts on this machine
self_a_suite_that_is_killed_leaves_nothing()
{
	suites </dev/null
	cp "$root/scripts/suite.sh" "$mine/scripts"
	stub lint.sh <<<'sleep 1000 & echo $! >"$here/pid"; wait'
	term_leaves_nothing lint
}

self_what_passed_is_left_out()
{
	suites </dev/null
	sed -i 's/^suites=(.*/suites=(drivers dma)/' "$mine/scripts/test.sh"
	run drivers
	run
	says "$said" 'drivers: not run' 'dma: started' '^1 passed, 0 failed$'
	run dma
	echo >>"$mine/include/hmm.h"
	run
	says "$said" 'drivers: started' 'dma: started' '^2 passed, 0 failed$'
}

# edited SCRIPT: edit a file while that script of a run is at work
edited()
{
	suites </dev/null
	{ sed -n '4,$p' "$mine/scripts/$1"; echo 'echo >>"$mine/include/hmm.h"'; } >"$here/edit"
	stub "$1" <"$here/edit"
	run drivers
	says "$said" 'drivers: what it depends on was changed'
	[ ! -e "$OUT/passed/drivers" ]
}

self_an_edit_while_the_tree_is_made() { edited tree.sh; }
self_an_edit_while_the_kernel_is_built() { edited deps.sh; }
self_an_edit_while_the_tests_run() { edited suite.sh; }

# Somebody else calls tree.sh for another set of patches.
self_another_tree_in_the_middle()
{
	suites <<<'echo >>"$mine/../out/patched/mm/gup.c"'
	mkdir -p "$OUT/patched/mm"
	echo base >"$OUT/patched/mm/gup.c"
	echo mm/gup.c >"$OUT/patched.files"
	run drivers
	says "$said" 'drivers: what it depends on was changed'
	[ ! -e "$OUT/passed/drivers" ]
}

# A tool of another version makes another digest.
self_tools_are_inputs()
{
	local tool before

	suites </dev/null
	mkdir "$here/bin"
	before=$("$mine/scripts/inputs.sh" --built drivers)
	[ "$before" = "$("$mine/scripts/inputs.sh" --built drivers)" ]
	for tool in gcc ld sparse qemu-system-x86_64 busybox; do
		printf '#!/bin/sh\necho %s 99\n' $tool >"$here/bin/$tool"
		chmod +x "$here/bin/$tool"
		echo "$tool:"
		[ "$before" != "$(PATH=$here/bin:$PATH "$mine/scripts/inputs.sh" --built drivers)" ]
		rm "$here/bin/$tool"
	done
	echo 'echo kvm' | stub accel.sh
	echo accelerator:
	[ "$before" != "$("$mine/scripts/inputs.sh" --built drivers)" ]
}
