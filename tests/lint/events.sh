#!/bin/sh
# SPDX-License-Identifier: ISC
# Every log line of events.def, every other line that is logged, and every reply
# of verdicts.def is explained in doorbelld(8): the page has it with some words
# where the table has %letters. The names of fields and groups are there, too.
set -eu
cd "$(dirname "$0")/../.."
page=man/doorbelld.8
sep=$(printf '\037')
rc=0

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mandoc -Tascii -O width=1000 "$page" | sed 's/.\x08//g; s/^ *//; s/ *$//' |
    sed 's/\([^ ]\)  */\1 /g' >"$dir/page"

# An extended regular expression for a template.
pattern() {
	printf '%s\n' "$1" |
	    sed 's/[][()*+?.^$|{}\\]/\\&/g; s/%[lz]*[a-zA-Z]/[^ ].*/g'
}

# look TEXT: the page has a line that begins with it.
look() {
	grep -qE "^$(pattern "$1")" "$dir/page" && return
	echo "$page: does not explain \"$1\""
	rc=1
}

tests/lint/print-table events >"$dir/events"
while IFS=$sep read -r word old rest _; do
	look "${word:+$word }$(echo "$rest" | sed 's/^ //')"
	[ "$word" = "$old" ] && continue
	grep -qF "$old" "$dir/page" && continue
	echo "$page: does not mention \"$old\""
	rc=1
done <"$dir/events"

# The table of named fields: "event  groups  names", blanks squeezed.
tests/lint/print-table fields >"$dir/fields"
while IFS=$sep read -r id groups names level _; do
	event=$(echo "$id" | tr A-Z a-z)
	[ "$level" = INFO ] || event="$event!"
	row="$event $(echo "$groups" | tr ' ' ,) $names"
	grep -qxF "$row" "$dir/page" && continue
	echo "$page: no row \"$row\""
	rc=1
done <"$dir/fields"

tests/lint/print-table verdicts >"$dir/verdicts"
while IFS=$sep read -r drop enforce enhanced text; do
	[ -z "$enhanced" ] || text="$enhanced $text"
	look "$drop $text"
	[ "$enforce" = 0 ] || look "$enforce $text"
done <"$dir/verdicts"
# What is logged without a table: the format strings of log_info() and
# log_warning(), adjacent literals joined. "%s: %s" and the like say nothing.
cat src/*/*.c src/*.c | awk '
	/log_(info|warning)\(/ { call = ""; inside = 1 }
	inside { call = call $0 }
	inside && /;[ \t]*$/ {
		inside = 0
		sub(/.*log_(info|warning)\([ \t]*/, "", call)
		text = ""
		while (match(call, /^"([^"\\]|\\.)*"[ \t]*/)) {
			part = substr(call, 1, RLENGTH)
			call = substr(call, RLENGTH + 1)
			sub(/^"/, "", part)
			sub(/"[ \t]*$/, "", part)
			text = text part
		}
		if (text ~ /[a-z][a-z][a-z]/)
			print text
	}
' >"$dir/strings"
while read -r text; do
	look "$text"
done <"$dir/strings"
exit $rc
