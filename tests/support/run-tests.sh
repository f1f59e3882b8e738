#!/bin/sh
# Run test programs, as many at a time as there are processors; show the output
# of those that fail. WRAP is put in front of each (valgrind, for one).
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export dir

# shellcheck disable=SC2016 # the inner shell expands it
printf '%s\n' "$@" | xargs -P "$(nproc)" -I {} sh -c '
	out=$dir/$(echo "$1" | tr / _)
	if ${WRAP:-} "$1" >"$out" 2>&1; then
		echo "$1" >"$out.passed"
	else
		printf "%s\nFAILED: %s\n" "$(cat "$out")" "$1" >&2
	fi' run {}

passed=$(find "$dir" -name '*.passed' | wc -l)
failed=$(($# - passed))
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
