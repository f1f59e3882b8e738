#!/bin/sh
# SPDX-License-Identifier: ISC
# What a module exports: each function that is not static in src/X/Y.c bears
# the name of the module (or of its family: dnsbl_ in dnsbl_spec.c; or of a
# struct that include/X/Y.h defines), is declared in that header, and is used
# by somebody else. The rows of tables are used, too.
#
# The house style makes this a matter of lines: the return type stands on its
# own line, the name begins the next one.
set -eu
cd "$(dirname "$0")/../.."
rc=0

exported() {
	awk '/^[a-z][a-z0-9_]*\(/ && last !~ /(^| )static / && last !~ /[;}]$/ {
		sub(/\(.*/, "")
		print
	}
	{ last = $0 }' "$1"
}

# The header itself may use it, in a macro.
is_used() {
	grep -rlw --include='*.[ch]' --include='*.def' "$1" src include tests |
	    grep -qvxF -e "$2" -e "$3" ||
		[ "$(grep -v '^[/ ][*]' "$3" | grep -cw "$1")" -gt 1 ]
}

complain() {
	echo "$1: $2"
	rc=1
}

for source in src/*/*.c; do
	own=${source#src/}
	header=include/${own%.c}.h
	module=$(basename "$source" .c)
	[ -e "$header" ] || continue # headers.sh says so
	structs=$(sed -n 's/^struct \([a-z_]*\) {.*/\1/p' "$header")
	for name in $(exported "$source"); do
		named=no
		for prefix in "$module" "${module%%_*}" $structs; do
			case $name in
			"${prefix}_"*) named=yes ;;
			esac
		done
		[ $named = yes ] ||
			complain "$source" "$name() is not named for $module"
		grep -qw "$name" "$header" ||
			complain "$source" "$name() is not in $header"
		is_used "$name" "$source" "$header" ||
			complain "$source" "nobody else uses $name()"
	done
done
# The rows of tables that others refer to by name.
rows() {
	for id in $(sed -n "s/^$1(\([A-Z_0-9]*\),.*/\1/p" "$2"); do
		grep -rqw --include='*.c' "$1_$id" src ||
		    grep -qw "$id)\$" include/screen/checks.def ||
			complain "$2" "nobody uses $1_$id"
	done
}
rows COUNTER include/base/counters.def
rows EVENT include/screen/events.def
rows VERDICT include/screen/verdicts.def
rows ANSWER include/smtp/answers.def
exit $rc
