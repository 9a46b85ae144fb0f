# SPDX-License-Identifier: GPL-2.0
#
# Read a guest's kernel log, print each report of trouble that no test asked
# for, and fail if there is one.
#
# A test that provokes a report says so before, in the kernel log:
#	expect-splat: REGEX
# Each such line, or line of the variable `expect`, excuses one report: the
# next whose first line matches REGEX.  It is an error too if none comes.

function complain(what)
{
	print what
	bad = 1
}

# Is this line the first of a report, or a last word?
function report(line)
{
	return line ~ /^([a-z_]+: )?(\[ )?(WARNING|BUG)[: ]/ ||
	       line ~ /^kernel BUG at / ||
	       line ~ /^Oops[: ]/ ||
	       line ~ /^Kernel panic - not syncing/ ||
	       line ~ /^(rcu: )?INFO: (task|rcu|possible|trying|suspicious)/ ||
	       line ~ /^(Memory cgroup out|Out) of memory: / ||
	       line ~ /^pagealloc: (memory corruption|single bit error)/ ||
	       line ~ /^DMA-API: .*disabl/ ||
	       line ~ /^kmemleak: [0-9]+ new suspected memory leaks/ ||
	       line ~ /^kmemleak: .*(disabled|buffer exceeded|pool exhausted)/
}

function excused(line,   i)
{
	for (i = 1; i <= expected; i++)
		if (regex[i] != "" && line ~ regex[i]) {
			regex[i] = ""
			return 1
		}
	return 0
}

BEGIN {
	expected = split(expect, regex, "\n")
}

{
	sub(/\r$/, "")
	line = $0
	sub(/^(<[0-9]+>)?\[ *[0-9]+\.[0-9]+\](\[ *[CT][0-9]+\])? /, "", line)
}

match(line, /expect-splat: ./) {
	regex[++expected] = substr(line, RSTART + 14)
	next
}

report(line) && !excused(line) {
	complain($0)
}

END {
	for (i = 1; i <= expected; i++)
		if (regex[i] != "")
			complain("expected, but never reported: " regex[i])
	exit bad
}
