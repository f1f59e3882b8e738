#!/bin/sh
# Sum up gcov's line coverage of src/ for the build in directory $1.
set -eu

dir=$1
find "$dir/src" -name '*.gcda' | sort | while read -r data; do
	object=${data%.gcda}.o
	gcov -n -o "$object" "$data" 2>/dev/null |
		awk -v want="src/" '
			/^File / { keep = index($0, "File '"'"'" want) == 1; name = $2 }
			/^Lines executed:/ && keep {
				split($0, part, /[:% ]+/)
				print name, part[3], $NF
				keep = 0
			}'
done | sort -u | tee "$dir/coverage.txt" | awk '
	{ gsub(/'"'"'/, "", $1); printf "%7.2f%% of %4d  %s\n", $2, $3, $1
	  lines += $3; hit += $2 * $3 / 100 }
	END { if (lines == 0) exit 1
	      printf "%7.2f%% of %d lines\n", 100 * hit / lines, lines }'
