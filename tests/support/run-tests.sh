#!/bin/sh
# Run test programs one after another; show the output of those that fail. WRAP
# is put in front of each (valgrind, for one).
set -u
passed=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for program in "$@"; do
	if ${WRAP:-} "$program" >"$out" 2>&1; then
		passed=$((passed + 1))
	else
		cat "$out"
		echo "FAILED: $program" >&2
		failed=$((failed + 1))
	fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
