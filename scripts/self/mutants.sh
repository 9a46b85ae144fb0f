# shellcheck shell=bash disable=SC2154,SC2016 # the variables are self.sh's, and a stub's
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of a file that is made up, and what mutants.sh takes for caught.  Sourced by self.sh.

# a_tree < list: a root in which the code is one word, which says what becomes of the guest; mutants change it
a_tree()
{
	made_up_root
	rm -r "$mine"/scripts/mutants/*
	cat >"$mine/scripts/mutants/list.sh"
	stub tree.sh <<<'mkdir -p "$OUT/mutants/mm"; echo mm/x.c >"$OUT/mutants.files"; echo good >"$OUT/mutants/mm/x.c"'
	stub kernel.sh <<<'! grep -q broken "$OUT/mutants/mm/x.c"'
	stub boot.sh <<-'END'
		word=$(cat "$OUT/mutants/mm/x.c")
		exec >"$OUT/log/$LOG.console"
		[ "$word" != early ] || exit 125
		printf 'KTAP version 1\n1..1\n# planned: suite\n    KTAP version 1\n    # Subtest: suite\n    1..1\n'
		[ "$word" != hangs ] || exit 124
		case $word in
		fails)	echo '    not ok 1 test' ;;
		skips)	echo '    ok 1 test # SKIP not here' ;;
		*)	echo '    ok 1 test' ;;
		esac
		echo 'ok 1 suite'
		[ "$word" != reports ] || exit 125
	END
}

mutants() { timeout 100 "$mine/scripts/mutants.sh" "$@" >"$said" 2>&1; }

self_mutants_that_are_caught()
{
	a_tree <<-'END'
		mutant mm/x.c first suite.test s/good/fails/
		mutant mm/x.c second suite.test s/good/hangs/
		mutant mm/x.c third suite.test s/good/reports/
	END
	mutants
	says "$said" '^ok 3 - first: suite.test' '^ok 4 - second' '^ok 5 - third' '^# 5 passed, 0 failed'
	grep -qx good "$OUT/mutants/mm/x.c"
	mutants second
	says "$said" '^# 3 passed, 0 failed'
	refuses mutants fourth
}

self_mutants_that_are_not_caught()
{
	a_tree <<-'END'
		mutant mm/x.c "no harm" suite.test s/good/other/
		mutant mm/x.c "not there" suite.test s/bad/other/
		mutant mm/x.c "no code" suite.test s/good/broken/
		mutant mm/x.c "only skipped" suite.test s/good/skips/
		mutant mm/x.c "dead too soon" suite.test s/good/early/
		mutant mm/y.c "not ours" suite.test s/good/fails/
	END
	refuses mutants
	says "$said" '^not ok 3 - no harm' '^# the edit does not fit mm/x.c' '^not ok 4 - not there' '^# it does not compile' \
		'^not ok 5 - no code' '^not ok 6 - only skipped' '^# the guest did not come to its tests' \
		'^not ok 7 - dead too soon' '^not ok 8 - not ours' '^# 2 passed, 6 failed'
	grep -qx good "$OUT/mutants/mm/x.c"
}

self_mutants_of_code_that_fails_anyway()
{
	a_tree <<-'END'
		mutant mm/x.c first suite.other s/good/fails/
	END
	refuses mutants
	says "$said" '^# suite/other: nothing of it passes' '^not ok 2 - the code as it is: suite.other'
}

# The signal comes while the guest runs
self_a_mutant_that_is_killed_is_put_back()
{
	a_tree <<<'mutant mm/x.c first suite.test s/good/waits/'
	sed -i 's/^exec >/if [ "$word" = waits ]; then touch "$here\/began"; until [ -e "$here\/go" ]; do sleep 0.1; done; fi\n&/' \
		"$mine/scripts/boot.sh"
	"$mine/scripts/mutants.sh" >"$said" 2>&1 &
	until_it [ -e "$here/began" ]
	grep -qx waits "$OUT/mutants/mm/x.c"
	kill -TERM $!
	touch "$here/go"
	refuses wait $!
	grep -qx good "$OUT/mutants/mm/x.c"
}
