#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Install the packages that the workbench needs: deps.sh [ARCH]...  Root gets
# them installed; any other user is told the command.  Silent when nothing is
# missing.  For each ARCH, as kbuild calls it, what compiles for it comes too:
# that is much, and only some suites of make test ask for it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/arch.sh"

packages="
	bc bison build-essential busybox-static ccache cpio debian-archive-keyring
	flex git gnuplot-nox kmod libcap-dev libelf-dev libnuma-dev libssl-dev
	liburing-dev python3 python3-sphinx qemu-system-x86 rsync shellcheck sparse xz-utils
	$(arch_packages "$@")"

missing()
{
	# shellcheck disable=SC2086 # a list of words
	{ dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null || :; } |
		awk -v wanted="${packages//$'\n'/ }" '
			$2 == "installed" { have[$1] = 1 }
			END {
				n = split(wanted, name)
				for (i = 1; i <= n; i++)
					if (!(name[i] in have))
						printf "%s ", name[i]
			}'
}

command -v dpkg-query >/dev/null ||
	die "this is no Debian system; install what these packages hold: $packages"

need=$(missing)
[ -n "$need" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	note "Packages are missing. Install them with:"
	note "    sudo apt-get install --no-install-recommends ${need% }"
	exit 1
fi

say "Installing: ${need% }"
log=$out/deps.log
export DEBIAN_FRONTEND=noninteractive
apt="timeout 600 apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3"
# shellcheck disable=SC2086 # lists of words
if ! { $apt update && $apt install -y --no-install-recommends $need; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	die "apt could not install the packages; its output is in $log"
fi
need=$(missing)
[ -z "$need" ] || die "still missing after the installation: $need"
