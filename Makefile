# SPDX-License-Identifier: GPL-2.0
#
# The workbench: fetch the base kernel, put the series on it, build, boot, test.
# Not part of the series.  Every target is one call of a script in scripts/.

# Where all output goes, for a source that is read-only or a disk that is small:
# OUT=dir, by default out.  Kind of kernel: release, release-kunit, debug, trace, stock
# or stock-tests.
KERNEL ?= release

# The scripts read these from the environment.  $(value) hands a text such as
# APPEND='memmap=1G$4G' on as it was written, without make expanding it.
define pass
ifneq ($(origin $1),undefined)
override $1 := $$(value $1)
export $1
endif
endef
$(foreach v,KERNEL ARCH TREE OUT CMD FILES ICOUNT SMP MEM HOST APPEND SILENCE TIMEOUT EXPECT LOG DURATION BREAK FROM CASES WITHOUT MUTANTS,$(eval $(call pass,$v)))

.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help:				## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps:				## install the packages that are missing, or say which
	@scripts/deps.sh

.PHONY: base
base: deps			## fetch the base source to out/base; TREE=dir takes a tree of your own
	@scripts/fetch.sh

.PHONY: tree
tree: base			## out/patched: the base with the series; out/tests: with our tests only
	@scripts/tree.sh patched
	@scripts/tree.sh tests

.PHONY: kernel
kernel: tree			## build out/build/KERNEL (release, release-kunit, debug, trace, stock, stock-tests; of ARCH=arm64 release, stock, 4k, 64k); WITHOUT=0710 without that patch
	@scripts/kernel.sh $(KERNEL)

.PHONY: boot
boot: kernel			## boot KERNEL, run CMD with FILES in /bin, exit with its status; HOST=1 with the host's programs
	@scripts/boot.sh

.PHONY: shell
shell: kernel			## boot KERNEL, a shell in it; HOST=1 your own, with the host's programs
	@env CMD= scripts/boot.sh

.PHONY: demo
demo:				## mirror a live process for DURATION=30 s and compare each byte; BREAK=1 leaves the check out
	@scripts/demo.sh --check
	@$(MAKE) --no-print-directory kernel
	@scripts/selftests.sh patched hmm_range_stress
	@scripts/demo.sh

.PHONY: bench
bench: tree			## count instructions on stock and on release, hold them to configs/bounds; CASES= runs some; ARCH=arm64 on that
	@$(MAKE) --no-print-directory kernel KERNEL=stock
	@$(MAKE) --no-print-directory kernel KERNEL=release
	@scripts/bench.sh

.PHONY: series
series: tree			## write the series as mails to out/series
	@scripts/series.sh

.PHONY: apply
apply:				## put the series onto a kernel tree of your own: TREE=dir
	@$(MAKE) --no-print-directory series TREE=
	@scripts/apply.sh

.PHONY: drivers
drivers: tree			## compile every user of HMM in the tree against the series
	@scripts/objects.sh drivers

.PHONY: arches
arches: tree			## compile the series for other architectures: arm64, riscv64, powerpc64le, s390x, sparc64 ...
	@scripts/deps.sh arm arm64 powerpc riscv s390 sparc
	@scripts/objects.sh arches

.PHONY: configs
configs: tree			## compile the series with features off: HMM, THP, hugetlb, swap, 64 bits ...
	@scripts/objects.sh configs

# CMD and the like are for other targets: a test chooses its own.  It makes the
# trees itself, when it knows that nobody else tests them.
run_tests = env -u ARCH -u CMD -u FILES -u HOST -u SILENCE -u APPEND -u EXPECT -u LOG -u MEM -u SMP -u TIMEOUT -u ICOUNT scripts/test.sh

.PHONY: test
test:				## run the tests, one run at a time; SUITES='kunit ...' runs some of them
	@$(run_tests) $(SUITES)

.PHONY: test-all
test-all:			## the same with those that take long: before the series is sent
	@$(run_tests) --all

.PHONY: lint
lint: tree			## checkpatch, kernel-doc, Sphinx, MAINTAINERS and shellcheck on all that is ours
	@scripts/lint.sh

.PHONY: bisect
bisect: base			## build and boot release after each patch of the series, compile it for arm64; FROM=N starts there
	@scripts/bisect-series.sh

.PHONY: test-baseline
test-baseline: tree		## run the base's tests on stock, compare with configs/expected
	@scripts/baseline.sh

.PHONY: test-detectors
test-detectors:			## see each detector of trouble in a guest fire
	@scripts/test.sh detectors

.PHONY: test-reverts
test-reverts: tree		## leave the patches of GUP out one by one, and see the tests fail that need them
	@env -u WITHOUT scripts/reverts.sh $(WITHOUT)

.PHONY: mutants
mutants: base			## break the code in known ways, one kernel for each, and see a KUnit test fail; MUTANTS='regex' takes those of such names
	@scripts/mutants.sh "$$MUTANTS"

# A directory that OUT names by mistake is left alone.
ours = cd "$${OUT:-out}" 2>/dev/null && { [ -z "$$OUT" ] || [ -e base.origin ]; }

.PHONY: clean
clean:				## remove what was built, keep the base source
	@! { $(ours); } || find . -mindepth 1 -maxdepth 1 ! -name base ! -name base.origin -exec rm -rf {} +

.PHONY: distclean
distclean:			## remove all output
	@! { $(ours); } || find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
