# shellcheck shell=bash disable=SC2154 # tree, build and fragments are the caller's
# SPDX-License-Identifier: GPL-2.0
#
# How the workbench configures a kernel and calls kbuild.  Sourced, not run, after lib.sh.  The script sets
#	tree		the source, under out/
#	build		the build directory
#	fragments	names of configs/NAME.config, or files; of two lines about one symbol the last one holds
#	config		what the fragments are put on: allnoconfig (default) or allmodconfig
#	kbuild_args	(array) further arguments of every call of make
#	arch		what kbuild calls the architecture (default x86)

config=allnoconfig
kbuild_args=()
arch=x86

. "$(dirname "$0")/arch.sh"

kbuild()
{
	local cross cc

	cross=$(cross_of "$arch")
	cc=${cross}gcc
	command -v "$cc" >/dev/null || die "there is no $cc: run scripts/deps.sh $arch"
	! command -v ccache >/dev/null || cc="ccache $cc"
	make -C "$out/$tree" O="$build" ARCH="$arch" CROSS_COMPILE="$cross" CC="$cc" KBUILD_BUILD_USER=hmm \
		KBUILD_BUILD_HOST=workbench KBUILD_BUILD_TIMESTAMP="Thu Jan 1 1970" \
		KBUILD_BUILD_VERSION=1 "${kbuild_args[@]}" "$@"
}

# choose_kernel KIND: set what configure and kbuild want to know of a kernel that is booted
choose_kernel()
{
	build=$out/build/$1
	arch=$(arch_of "$1")
	case $1 in
	release)	tree=patched fragments="base series" ;;
	debug)		tree=patched fragments="base debug series kunit tests" ;;
	release-kunit)	tree=patched fragments="base series kunit tests" ;;
	trace)		tree=patched fragments="base series trace" ;;
	mutants)	tree=mutants fragments="base series kunit tests" ;;
	stock)		tree=base fragments="base" ;;
	stock-tests)	tree=tests fragments="base debug tests" ;;
	bisect)		tree=bisect fragments="base $out/bisect.config" ;;
	arm64-release)	tree=patched fragments="objects arch/arm64-4k arm64 series" ;;
	arm64-stock)	tree=base fragments="objects arch/arm64-4k arm64" ;;
	arm64-4k | arm64-64k)
			tree=patched fragments="objects arch/$1 arm64 arm64-debug series kunit tests" ;;
	*)		die "no kernel '$1': there are release, release-kunit, debug, trace, stock and stock-tests" ;;
	esac
}

# Print each line of the fragments that the final configuration lacks.
dropped()
{
	awk '
		{ sub(/#.*/, "", $0) }
		FNR == NR { if (/^CONFIG_/) have[$0] = 1; next }
		/^CONFIG_[A-Z0-9_]+=/ {
			split($0, part, "=")
			want[part[1]] = $0
		}
		END {
			for (symbol in want) {
				line = want[symbol]
				off = line ~ /=n$/
				set = 0
				for (l in have)
					if (index(l, symbol "=") == 1)
						set = 1
				if (off ? set : !(line in have))
					print "  " line
			}
		}' "$@" | sort
}

# All that the configuration follows from, as far as it changes: our entries go into Kconfig files of these directories.
config_inputs()
{
	cat "$@" "$out/base.origin" "$out/$tree"/{mm,lib,samples}/Kconfig*
}

# Write .config from the fragments; an unchanged configuration keeps its mtime.
configure()
{
	local files=() f lost

	for f in $fragments; do
		case $f in
		/*)	files+=("$f") ;;
		*)	files+=("$root/configs/$f.config") ;;
		esac
	done
	mkdir -p "$build"
	if [ -e "$build/.config" ] && cmp -s <(config_inputs "${files[@]}") "$build/.fragments"; then
		return
	fi
	rm -f "$build/.fragments"
	awk -F = '/^CONFIG_/ { line[$1] = $0 } END { for (symbol in line) print line[symbol] }' \
		"${files[@]}" >"$build/.config.wanted"
	kbuild -s KCONFIG_ALLCONFIG="$build/.config.wanted" "$config" >/dev/null
	kbuild -s olddefconfig >/dev/null
	lost=$(dropped "$build/.config" "${files[@]}")
	if [ -n "$lost" ]; then
		note "The build dropped these lines of configs/{$(echo "$fragments" | tr ' ' ,)}.config:"
		note "$lost"
		die "a line of a fragment did not survive: add what it depends on"
	fi
	config_inputs "${files[@]}" >"$build/.fragments"
}
