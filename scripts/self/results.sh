# shellcheck shell=bash disable=SC2154 # the variables are self.sh's
# SPDX-License-Identifier: GPL-2.0
#
# What results.py makes of reports.  Sourced by self.sh.

# judged STATUS [EXPECTED]... < report: leave in $said what becomes of a suite
# that ends with this status; EXPECTED are lines of configs/expected, KIND NAME
judged()
{
	local status=$1 line

	made_up_root
	shift
	for line; do
		printf 'made-up\t%s\t%s\n' "${line%% *}" "${line#* }" >>"$mine/configs/expected"
	done
	{ echo "KTAP version 1"; cat; } >"$here/report"
	"$mine/scripts/results.py" made-up "$here/report" "$status" >"$said"
}

# A program whose only failure is how it ends: program "RESULT" STATUS [EXPECTED]...
program()
{
	printf '%s\n' "1..1" "    TAP version 13" "    1..2" "    ok 1 - one" "    $1" "$2" | judged "${@:3}"
}

self_a_whole_program_passes()
{
	program "ok 2 - two" "ok 1 - prog" 0
	silent "$said" ^fail
	says "$said" '^pass.*prog/one' '^pass.*prog/two'
}

self_a_dead_program_is_not_forgiven_for_a_skip()
{
	program "ok 2 - two # SKIP no device" "not ok 1 - prog # exit status 139" 1 "skip prog/two"
	says "$said" '^fail.*prog .*exit status 139' '^skip.*prog/two'
}

self_a_dead_program_is_not_forgiven_for_a_failure()
{
	program "not ok 2 - two" "not ok 1 - prog # exit status 139" 1 "fail prog/two"
	says "$said" '^fail.*prog .*exit status 139' '^expected.*prog/two'
}

self_a_bad_end_is_not_forgiven_for_a_skip()
{
	program "ok 2 - two # SKIP no device" "not ok 1 - prog # exit status 1" 1 "skip prog/two"
	says "$said" '^fail.*prog .*exit status 1'
}

self_a_failure_explains_how_its_program_ends()
{
	program "not ok 2 - two" "not ok 1 - prog # exit status 1" 1
	says "$said" '^fail.*prog/two'
	[ "$(grep -c ^fail "$said")" = 1 ]
}

self_a_bad_end_of_a_program_that_passes()
{
	program "ok 2 - two" "not ok 1 - prog # exit status 1" 1
	says "$said" '^fail.*prog .*exit status 1'
}

self_a_skip_explains_exit_status_4()
{
	program "ok 2 - two # SKIP no device" "ok 1 - prog # SKIP" 0 "skip prog/two"
	silent "$said" ^fail
}

self_exit_status_4_without_a_skip()
{
	program "ok 2 - two" "ok 1 - prog # SKIP" 0
	says "$said" '^fail.*prog .*skipped'
}

self_a_skip_has_to_be_expected()
{
	program "ok 2 - two # SKIP no device" "ok 1 - prog" 0
	says "$said" '^fail.*prog/two .*skipped'
}

self_a_program_that_breaks_off_and_says_ok()
{
	printf '%s\n' "1..1" "    1..3" "    ok 1 - one" "ok 1 - prog" | judged 0
	says "$said" '^fail.*prog/.*1 of 3'
}

self_a_silent_program_and_what_follows_have_names()
{
	judged 1 <<-END
		1..3
		# planned: first
		# planned: second
		# planned: third
		    # Subtest: first
		    1..4
		    ok 1 - one
		not ok 1 - first # silent for 300 s
		    # Subtest: second
		    1..1
		    ok 1 - one
		ok 2 - second
		    # Subtest: third
		ok 3 - third
	END
	says "$said" '^fail.*first .*silent for 300 s' '^pass.*first/one' '^pass.*second/one' '^pass.*third'
	[ "$(grep -c ^fail "$said")" = 2 ]	# the other: 1 of 4 reported
}

# A kernel that hangs in one KUnit suite, and never comes to the next one
self_what_did_not_run_has_a_name()
{
	sed 's/^/[    1.234567] /' <<-END | judged 124
		1..3
		# planned: first
		# planned: second
		# planned: third
		    KTAP version 1
		    # Subtest: first
		    1..1
		    ok 1 one
		ok 1 first
		    KTAP version 1
		    # Subtest: second
		    1..3
		        KTAP version 1
		        # Subtest: two
		        ok 1 two.one
		    ok 1 two
		        # Subtest: three
		        1..2
		        ok 1 three.one
	END
	says "$said" '^pass.*first/one' '^pass.*second/two/two.one' '^pass.*second/three/three.one' \
		'^fail.*second/three .*did not end' '^fail.*second .*did not end' '^fail.*third .*did not run' '^fail.*the run:'
}

self_no_report()
{
	judged 0 </dev/null
	says "$said" '^fail'
	echo nothing >"$here/report"
	"$mine/scripts/results.py" made-up "$here/report" 0 >"$said"
	says "$said" '^fail.*report'
}

self_fewer_than_planned()
{
	printf '%s\n' "1..2" "ok 1 - one" | judged 0
	says "$said" '^fail.*1 of 2'
}

self_what_is_expected_has_to_run()
{
	printf '%s\n' "1..1" "ok 1 - one" | judged 0 "skip two"
	says "$said" '^fail.*two .*did not run'
}

self_a_bad_run_of_tests_that_pass()
{
	printf '%s\n' "1..1" "ok 1 - one" | judged 3
	says "$said" '^fail.*exit status 3'
	# That a test fails as expected is no excuse for a report in the log.
	program "not ok 2 - two" "not ok 1 - prog # exit status 1" 125 "fail prog/two"
	says "$said" '^expected.*prog/two' '^fail.*the run'
}
