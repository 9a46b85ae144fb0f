# shellcheck shell=bash disable=SC2154 # tree, build and fragments are the caller's
# SPDX-License-Identifier: GPL-2.0
#
# How the workbench configures a kernel and calls kbuild.  Sourced, not run, after lib.sh.  The script sets
#	tree		the source, under out/
#	build		the build directory
#	fragments	names of configs/NAME.config, or files; of two lines about one symbol the last one holds
#	config		what the fragments are put on: allnoconfig (default) or allmodconfig
#	kbuild_args	(array) further arguments of every call of make

config=allnoconfig
kbuild_args=()

kbuild()
{
	local cc=gcc

	! command -v ccache >/dev/null || cc="ccache gcc"
	make -C "$out/$tree" O="$build" CC="$cc" KBUILD_BUILD_USER=hmm \
		KBUILD_BUILD_HOST=workbench KBUILD_BUILD_TIMESTAMP="Thu Jan 1 1970" \
		KBUILD_BUILD_VERSION=1 "${kbuild_args[@]}" "$@"
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

# All that the configuration follows from, as far as it changes: our entries go into Kconfig files of mm/ and lib/.
config_inputs()
{
	cat "$@" "$out/base.origin" "$out/$tree"/{mm,lib}/Kconfig*
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
