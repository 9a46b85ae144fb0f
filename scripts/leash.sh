#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run a command that gets a signal as soon as the process that started it has
# ended, even by SIGKILL, which runs no trap: leash.sh SIGNAL PID COMMAND...
# PID is that process, our parent.  If it ended before the command was tied to
# it, the command does not run.

signal=$1
parent=$2
shift 2
# shellcheck disable=SC2016 # expanded by the shell that is tied already
exec setpriv --pdeathsig "$signal" sh -c '[ "$PPID" = "$0" ] && exec "$@"' "$parent" "$@"
