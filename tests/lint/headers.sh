#!/bin/sh
# SPDX-License-Identifier: ISC
# Every header stands on its own: it compiles alone, says what it is, and is
# guarded under its own name. Every .c file has its licence line.
set -eu
cd "$(dirname "$0")/../.."
rc=0

complain() {
	echo "$1: $2"
	rc=1
}

for file in src/*.c src/*/*.c tests/*/*.c tests/unit/*/*.c include/*/*.h \
    tests/support/*.h; do
	[ -e "$file" ] || continue
	[ "$(sed -n 1p "$file")" = '/* SPDX-License-Identifier: ISC */' ] ||
		complain "$file" "the first line is not the SPDX line"
done

for header in include/*/*.h; do
	name=${header#include/}
	guard=DOORBELL_$(echo "${name%.h}" | tr 'a-z/-' 'A-Z__')_H
	sed -n 2p "$header" | grep -qF "/* $name - " ||
		complain "$header" "line 2 does not begin with /* $name - "
	[ "$(grep -cx "#\(ifndef\|define\) $guard" "$header")" = 2 ] ||
		complain "$header" "the guard is not $guard"
	${CC:-cc} -std=c11 -Iinclude -D_GNU_SOURCE -Wall -Wextra -Werror \
	    -fsyntax-only -x c "$header" ||
		complain "$header" "does not compile alone"
done

for table in include/*/*.def; do
	sed -n 1,2p "$table" | grep -qF "/* ${table#include/} - " ||
		complain "$table" "does not begin with its name"
done

# A phase of the session has no header: session.h declares its one object.
for source in src/*/*.c; do
	own=${source#src/}
	own=${own%.c}.h
	name=$(basename "$source" .c)
	if [ ! -e "include/$own" ] &&
	    grep -q "^extern const struct phase_ops ${name}_phase;" \
		include/screen/session.h; then
		own=screen/session.h
	fi
	[ -e "include/$own" ] || complain "$source" "has no include/$own"
	first=$(grep '^#include' "$source" | sed -n 1p)
	[ "$first" = "#include \"$own\"" ] ||
		complain "$source" "its first include is not \"$own\""
done
exit $rc
