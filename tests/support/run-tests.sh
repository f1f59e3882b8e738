#!/bin/sh
# Run unit test programs one after another; say which failed. WRAP is put in
# front of each (valgrind, for one).
set -u
failed=0
count=0
for program in "$@"; do
	count=$((count + 1))
	if ! ${WRAP:-} "$program"; then
		echo "FAILED: $program" >&2
		failed=$((failed + 1))
	fi
done
echo "$((count - failed)) test programs passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
