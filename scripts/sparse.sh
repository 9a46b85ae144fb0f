#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sparse for a kernel that is newer than it: CHECK= of kbuild.  Sparse 0.6.4 knows neither __typeof_unqual__, nor that
# the length of a string is a constant, which MODULE_INFO() asserts.
exec sparse '-D__typeof_unqual__=__typeof__' '-D__builtin_strlen(s)=(sizeof(s) - 1)' "$@"
