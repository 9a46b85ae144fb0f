#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lay the modules of a kernel out as modprobe wants them, without copying them:
# modules.sh BUILD DIR writes to DIR/lib/modules/RELEASE, whose path it prints.

. "$(dirname "$0")/lib.sh"

build=$1
release=$(cat "$build/include/config/kernel.release")
dir=$2/lib/modules/$release
mkdir -p "$dir"
ln -s "$build" "$dir/build"
cp "$build"/modules.{order,builtin,builtin.modinfo} "$dir/"
while read -r object; do
	module=${object%.o}.ko
	mkdir -p "$dir/kernel/${module%/*}"
	ln -s "$build/$module" "$dir/kernel/$module"
done <"$build/modules.order"
sed -i 's|^\(.*\)\.o$|kernel/\1.ko|' "$dir/modules.order"
PATH=$PATH:/usr/sbin:/sbin depmod -b "$2" "$release"
say "$dir"
