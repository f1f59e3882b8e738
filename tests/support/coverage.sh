#!/bin/sh
# Sum up gcov's line coverage of src/ for the build in directory $1. A file that
# no program has run counts too: there are notes of it, but no counts.
set -eu

dir=$1
find "$dir/src" -name '*.gcno' | sort | while read -r notes; do
	gcov -n -o "${notes%.gcno}.o" "$notes" 2>/dev/null |
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
