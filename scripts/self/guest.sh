# shellcheck shell=bash disable=SC2154,SC2016 # the variables are self.sh's, and the guest's
# SPDX-License-Identifier: GPL-2.0
#
# What guest/suite makes of programs.  It runs here, by the guest's shell.
# Sourced by self.sh.

# programs SECONDS COMMAND...: leave its report in $said, and judge it in $here/judged
programs()
{
	local status=0

	made_up_root
	sed 's|/dev/kmsg|/dev/null|' "$mine/scripts/guest/suite" >"$here/suite"
	timeout 300 "$("$mine/scripts/busybox.sh" x86)" sh "$here/suite" "$@" >"$said" || status=$?
	"$mine/scripts/results.py" made-up "$said" "$status" >"$here/judged"
	return $status
}

self_a_program_runs_on_while_it_reports()
{
	programs 4 'for i in 1 2 3 4 5; do echo $i; sleep 2; done' 'sleep 1'
	silent "$here/judged" ^fail
}

self_a_silent_program_is_killed_and_the_next_one_runs()
{
	! programs 2 'trap "" TERM; echo TAP version 13; echo 1..2; echo ok 1 one; sleep 1000' 'echo next' || return
	says "$said" '^not ok 1 .*silent for 2 s' '^    next' '^ok 2'
	says "$here/judged" '^fail.*silent for 2 s' '^pass.*echo next'
}

self_what_a_program_leaves_behind_is_killed()
{
	programs 100 'sleep 1000 & echo $!' 'true'
	gone "$(sed -n 's/^    \([0-9]*\)$/\1/p' "$said")"
}

self_a_program_that_dies_and_the_next_one_runs()
{
	! programs 100 'echo TAP version 13; echo 1..1; echo "ok 1 # SKIP"; kill -SEGV $$' 'exit 4' 'true' || return
	says "$said" '^not ok 1 .*exit status 139' '^ok 2 .*SKIP' '^ok 3'
	says "$here/judged" '^fail.*exit status 139'
}

self_programs_are_named_before_they_run()
{
	programs 100 'exit 0' 'echo two'
	sed '/^not ok 1\|^ok 1/q' "$said" >"$here/first"
	says "$here/first" '^# planned: echo two'
}
