# SPDX-License-Identifier: GPL-2.0
# Plot what make bench measured: how much of what stock takes is left.
set terminal svg size 1000,560 noenhanced
set output dir."/bench.svg"
set title "What a case takes, in parts of what the base takes"
set style data histograms
set style fill solid 0.6
set yrange [0:*]
set ytics 0.1
set grid ytics
set xtics rotate by -50 scale 0
set bmargin 12
set rmargin 12
set key off
plot dir."/bench.dat" using 2:xtic(1) linecolor rgb "#3465a4"
