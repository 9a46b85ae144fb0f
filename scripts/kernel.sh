#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build one kernel and its modules: kernel.sh
# release|release-kunit|debug|trace|stock|stock-tests, or bisect for bisect-series.sh:
# release with the first patches of the series; or mutants for mutants.sh.
