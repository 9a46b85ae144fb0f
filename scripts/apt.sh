# shellcheck shell=bash disable=SC2154 # out is from lib.sh
# SPDX-License-Identifier: GPL-2.0
#
# apt with a configuration of its own: packages of another suite or architecture from the mirror that the machine is
# configured for, without a change to it.  Sourced, not run, after lib.sh.  $work is a scratch directory.

# The suite that the machine runs
codename()
{
	# shellcheck disable=SC1091
	(. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

# The machine's own mirror, as its apt would use it for that suite.
mirror()
{
	local codename uris

	codename=$(codename)
	uris=$(apt-get update --print-uris 2>/dev/null | cut -d "'" -f 2)
	sed -n "s|/dists/${codename:-none}/InRelease\$||p" <<<"$uris" | grep . ||
		sed -n 's|/dists/[^/]*/InRelease$||p' <<<"$uris"
}

keyring()
{
	local file

	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -e "$file" ] || { echo "$file"; return; }
	done
	die "no keyring of the Debian archive: install debian-archive-keyring"
}

# apt with a configuration of its own under $work: one source, verified.
# shellcheck disable=SC2154 # $work is the script's
private_apt()
{
	local tool=$1

	shift
	timeout 600 "$tool" -q -o Dir::Etc::SourceList="$work/list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Retries=3 -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
		"${apt_options[@]}" "$@"
}

apt_options=()

# configure_apt SUITE [ARCH]: let private_apt see this suite, for that architecture of Debian
configure_apt()
{
	local uri

	command -v apt-get >/dev/null ||
		die "there is no apt here to fetch with: give a kernel tree with TREE=, and for a guest of another architecture a static busybox as $out/busybox/ARCH"
	uri=$(mirror | head -n 1)
	[ -n "$uri" ] || die "apt of this machine knows no Debian mirror; set one up, or give a tree with TREE="
	[ -z "${2:-}" ] || apt_options=(-o "APT::Architecture=$2" -o "APT::Architectures=$2")
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	echo "deb [${2:+arch=$2 }signed-by=$(keyring)] $uri $1 main" >"$work/list"
	private_apt apt-get update >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die "apt cannot read $1 of this machine's mirror"; }
}
