# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What every script of the workbench shares: strict mode, the root of the
# clone, and how to speak.  Sourced, not run.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$root/out
mkdir -p "$out"

# kbuild must not see the variables of our own Makefile.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }
die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# scratch: print a fresh directory for this script's work, removed at its exit.
scratch()
{
	mkdir -p "$out/work"
	mktemp -d "$out/work/${0##*/}.XXXXXX"
}
