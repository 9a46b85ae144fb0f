#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hold each litmus test to the result that its comment claims, by the memory
# model of the kernel in $1. Run by "make litmus"; prints KTAP. Without herd7,
# which comes with the herdtools7 of opam, there is nothing to do.

set -u
model=$(cd "${1:?usage: litmus.sh KERNEL}/tools/memory-model" && pwd) || exit 2
cd "$(dirname "$0")/litmus" || exit 2
nr=0
failed=0

echo "KTAP version 1"
if ! command -v herd7 >/dev/null; then
	echo "1..0 # SKIP no herd7"
	exit 0
fi
for test in "$PWD"/*.litmus; do
	name=$(basename "$test" .litmus)
	nr=$((nr + 1))
	claimed=$(sed -n 's/^ \* Result: //p' "$test")
	log=$(cd "$model" && herd7 -conf linux-kernel.cfg "$test" 2>&1)
	if grep -q "^Observation $name $claimed " <<<"$log"; then
		echo "ok $nr - $name: $claimed"
	else
		echo "not ok $nr - $name: not $claimed"
		echo "# ${log//$'\n'/$'\n'# }"
		failed=$((failed + 1))
	fi
done
echo "1..$nr"
exit $((failed > 0))
