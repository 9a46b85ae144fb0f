# shellcheck shell=bash disable=SC2154,SC2016 # the variables are self.sh's, the quotes ReST
# SPDX-License-Identifier: GPL-2.0
#
# Documents and tests that have drifted apart: what tables.py finds.  Sourced by self.sh.

hmm=Documentation/mm/hmm.rst
gup=Documentation/core-api/get_user_pages.rst
listed=Documentation/mm/hmm_tests.rst
walk_tests=mm/tests/hmm_walk_kunit.c
gup_tests=mm/tests/gup_kunit.c

# drift WHICH FILE EDIT REGEX: with FILE edited by this sed(1) command tables.py WHICH says what REGEX matches
drift()
{
	rm -rf "${here:?}/tree"
	mkdir "$here/tree"
	(cd "$root" && cp -r --parents Documentation mm/tests tools/testing "$here/tree")
	sed -i "$3" "$here/tree/$2"
	! cmp -s "$root/$2" "$here/tree/$2" || { echo "this edits nothing: $3"; return 1; }
	refuses "$root/scripts/tables.py" "$1" "$here/tree"
	says "$said" "$4"
}

self_tables_of_walks()
{
	drift walk $hmm '/- swap$/{n;s/- 0/- ERROR/}' "'swap': snapshot is 'ERROR', but .* NOTHING"
	drift walk $hmm '/- zero page$/{n;n;n;s/faults/ok/}' "'zero page': write"
	drift walk $hmm '/- guard marker$/,+3d' "'guard marker' is gone"
	drift walk $hmm 's/- guard marker$/- brand new/' "'brand new' has no tests"
	drift walk $walk_tests '/{ "swap"/{n;s/NOTHING/ERROR/}' "'swap': snapshot"
	drift walk $walk_tests '/{ "PMD leaf"/{n;s/WALK_PMD/WALK_PUD/}' "'PMD leaf, PUD leaf'|'PMD leaf'|ok"
	drift walk $walk_tests '/{ "migration, PTE"/s/true/false/' "'migration entry, PTE or PMD': read"
	drift walk $walk_tests 's/{ "swap"/{ "brand new"/' "'brand new' is in no row"
}

self_tables_of_gup()
{
	drift gup $gup '/^get_user_pages_remote(),/s/held  /any   /' "pin_user_pages_remote: 'any'"
	drift gup $gup '/^the same with ``locked``/s/held for/not held/' "get_user_pages_remote_locked"
	drift gup $gup '/^neither/s/no flag that.*/FAULT_FLAG_KILLABLE/' "'neither' has \['KILL'\]"
	drift gup $gup '/^-EHWPOISON/s/-EHWPOISON/-EIO      /' 'EHWPOISON of the table partials'
	drift gup $gup 's/ partial_no_vma, / /' 'the test partial_no_vma is not in it'
	drift gup $gup_tests '/{ GET_UNLOCKED, 0,/s/RETRY | KILL,/RETRY,/' "'FOLL_UNLOCKABLE' has"
	drift gup $gup_tests 's/{ "get_user_pages_fast", /&.lock = true, /' get_user_pages_fast
	drift gup $gup_tests '/KUNIT_CASE(no_pages),/s/no_pages/brand_new/' 'the test brand_new'
}

self_tests_that_are_listed()
{
	drift tests $listed 's/^     - t4_ends_are_exclusive, t10_many/     - t4_brand_new, t10_many/' 'no test t4_brand_new'
	drift tests $listed 's/^     - t11_mprotect_of_address_0_ends/     - nothing/' 'names no test'
	drift tests $listed 's/ o1_waits_once,//; s/- o1_waits_once$/- o2_insert_is_in_force_at_once/' 'the test o1_waits_once'
	drift tests mm/tests/hmm_range_kunit.c 's/KUNIT_CASE(t11_mprotect/KUNIT_CASE(t11_other/' 'no test t11_mprotect'
}
