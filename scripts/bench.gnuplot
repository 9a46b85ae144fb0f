# SPDX-License-Identifier: GPL-2.0
# Plot what make bench measured: how much of what stock takes is left.
stats dir."/bench.dat" using 2 name "ratio" nooutput
set terminal svg size 600,(120 + 14 * ratio_records) noenhanced
set output dir."/bench.svg"
set title "What a case takes, in parts of what the base takes"
set style fill solid 0.6
set xrange [0:*]
set xtics 0.2
set yrange [ratio_records:-1]
set ytics scale 0
set grid xtics
set lmargin 32
set key off
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor rgb "#a40000"
plot dir."/bench.dat" using ($2 / 2):0:($2 / 2):(0.4):ytic(1) with boxxyerror linecolor rgb "#3465a4"
