#!/bin/sh
# SPDX-License-Identifier: ISC
# Every command and option of orders.def and switches.def is in doorbellctl(8),
# and every exit status of enum control_status.
set -eu
cd "$(dirname "$0")/../.."
page=man/doorbellctl.8
rc=0

complain() {
	echo "$page: $1"
	rc=1
}

sed -n 's/^ORDER([A-Z_]*,[ \t]*"\([^"]*\)".*/\1/p' include/ops/orders.def |
    while read -r words; do
	grep -qE "^\.It Cm $words( |\$)" "$page" ||
		echo "$page: has no entry for $words"
done | grep . && rc=1
sed -n 's/^SWITCH([A-Z_]*,[ \t]*"\([^"]*\)".*/\1/p' include/ops/switches.def |
    while read -r name; do
	case $name in
	config | help | version) continue ;; # short, or said by usage
	esac
	grep -qE "Fl -$name( |\$)" "$page" || echo "$page: has no --$name"
done | grep . && rc=1
for status in $(sed -n 's/.*CONTROL_[A-Z]* = \([0-9]*\).*/\1/p' \
    include/ops/control.h); do
	sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/p' "$page" |
	    grep -qx ".It $status" || complain "has no exit status $status"
done
exit $rc
