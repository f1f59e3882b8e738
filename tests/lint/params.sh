#!/bin/sh
# SPDX-License-Identifier: ISC
# Parameters: what doorbelld -d prints, what doorbell.cf(5) says and what
# conf/doorbell.cf shows must be what params.def declares.
#
# DOORBELLD is the program to ask, build/plain/doorbelld without one.
set -eu
cd "$(dirname "$0")/../.."
program=${DOORBELLD:-build/plain/doorbelld}
page=man/doorbell.cf.5
sample=conf/doorbell.cf
sep=$(printf '\037')
rc=0

complain() {
	echo "$1: $2"
	rc=1
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
tests/lint/print-table params >"$dir/table"
grep "^doorbell_" "$dir/table" >"$dir/own"
# "name = default", as -d prints it
awk -F '\037' '{ print $1 " = " $2 }' "$dir/own" | sed 's/ $//' >"$dir/lines"

# --- doorbelld -d -----------------------------------------------------------
"$program" -d >"$dir/dump" || complain "$program" "-d fails"
grep '^doorbell_' "$dir/dump" | sed 's/ $//' | sort >"$dir/printed"
sort "$dir/lines" | diff - "$dir/printed" ||
	complain "$program" "-d does not print what params.def has"

# --- doorbell.cf(5) ---------------------------------------------------------
# Rendered so wide that no line is folded. An entry is the line that -d prints,
# five columns in (here: behind an @), and deeper below it the help sentence.
mandoc -Tascii -O width=1000 "$page" | sed 's/.\x08//g
	s/^     doorbell_/@doorbell_/
	s/^ *//
	s/ *$//' >"$dir/page"
while IFS=$sep read -r name value _ help; do
	entry=$(printf '%s' "$name = $value" | sed 's/ $//')
	awk -v tag="@$name =" '
		/^@/ || /^[A-Z ]+$/ { inside = index($0, tag) == 1 }
		inside { print }
	' "$dir/page" >"$dir/entry"
	if [ "$(sed -n 1p "$dir/entry")" != "@$entry" ]; then
		complain "$page" "there is no entry \"$entry\""
		continue
	fi
	case $(sed -n 2p "$dir/entry") in
	"$help"*) ;;
	*) complain "$page" "$name does not begin with \"$help\"" ;;
	esac
done <"$dir/own"
sed -n 's/^@\([^ ]*\) =.*/\1/p' "$dir/page" | sort | uniq -d |
    sed "s|.*|$page: & has two entries|" | grep . && rc=1
# Postfix's own: a tag of the section about them.
mandoc -Tascii -O width=1000 "$page" | sed -n 's/.\x08//g
	/^POSTFIX PARAMETERS/,/^FILES/s/^     \([^ ]\)/\1/p' >"$dir/tags"
awk -F '\037' '$3 == "postfix" { print $1 }' "$dir/table" |
    while read -r name; do
	grep -qE "^([a-z_]+, )*$name(,|\$)" "$dir/tags" ||
		echo "$page: has no entry for Postfix's $name"
done | grep . && rc=1

# --- conf/doorbell.cf -------------------------------------------------------
# "# help" lines, then "#name = default", which may go on in "#<tab>" lines.
awk '
	function flush() {
		if (line != "")
			print line "\037" help
		line = help = ""
	}
	/^#doorbell_/ { line = substr($0, 2); next }
	/^#\t/ { line = line " " substr($0, 3); next }
	{ flush() }
	/^# / { comment = comment (comment == "" ? "" : " ") substr($0, 3) }
	/^#?$/ { comment = "" }
	{ help = comment }
	END { flush() }
' "$sample" | sed "s/ $sep/$sep/" | sort >"$dir/shown"
awk -F '\037' '{ print $1 " = " $2 "\037" $4 }' "$dir/own" |
    sed "s/ $sep/$sep/" | sort | diff - "$dir/shown" ||
	complain "$sample" "does not show what params.def has"
grep -n '^[^#]' "$sample" && complain "$sample" "sets something"

# --- names that do not exist ------------------------------------------------
cut -d "$sep" -f 1 "$dir/own" >"$dir/names"
printf "%s\n" doorbell_cache doorbell_counters >>"$dir/names" # the files
# "unknown parameter doorbell_..." is an example of what we say. The two files for
# those who watch name metrics: tests/integration/test_watching.py.
grep -rnoE --exclude=grafana-dashboard.json --exclude=prometheus-alerts.yml \
    '(unknown parameter )?doorbell_[a-z][a-zA-Z0-9_]+' \
    man conf README.md src/README.md tests/README.md | grep -v ':unknown' |
    while IFS=: read -r file line name; do
	grep -qx "$name" "$dir/names" ||
		echo "$file:$line: there is no parameter $name"
done | grep . && rc=1
exit $rc
