#!/bin/sh
# SPDX-License-Identifier: ISC
# Words that must not be in the sources: promises to oneself, paths of the
# machine they were written on, and functions that have better ones.
set -eu
cd "$(dirname "$0")/../.."
rc=0

# forbid WHY PATTERN FILE...: complain about every line that matches.
forbid() {
	why=$1
	pattern=$2
	shift 2
	if grep -nE -- "$pattern" /dev/null "$@" | sed "s|\$|   <- $why|" |
	    grep .; then
		rc=1
	fi
}

all=$(find src include tests man conf README.md Makefile .ci -type f \
    ! -name words.sh ! -path '*/corpus/*' ! -name '*.pyc' 2>/dev/null | sort)
c=$(find src include tests -name '*.[ch]' | sort)
# mynetworks may have to be worked out from names of hosts.
nameless=$(find src include -name '*.[ch]' ! -path src/config/host.c | sort)
timeless=$(find src include -name '*.[ch]' ! -path src/base/clock.c | sort)
frugal=$(find src include -name '*.[ch]' ! -path src/base/mem.c | sort)

# shellcheck disable=SC2086 # the lists are split on purpose
{
	forbid 'do it now, or open an issue' \
	    '(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)' $all
	forbid 'a path of somebody'\''s workplace' \
	    '(^|[^A-Za-z0-9_.])/(work|home|root|tmp/wt)/' $all
	forbid 'has no bound' \
	    '(^|[^A-Za-z0-9_])(strcpy|strcat|sprintf|vsprintf|gets)\(' $c
	forbid 'use text_token()' '(^|[^A-Za-z0-9_])strtok(_r)?\(' $c
	forbid 'use num_parse()' '(^|[^A-Za-z0-9_])ato(i|l|ll|f)\(' $c
	forbid 'use mem_array()' '(^|[^A-Za-z0-9_])alloca\(' $c
	forbid 'only base/clock.c asks for the time' \
	    '(^|[^A-Za-z0-9_])(time|gettimeofday|clock_gettime)\(' $timeless
	forbid 'only base/mem.c allocates' \
	    '(^|[^A-Za-z0-9_])(malloc|calloc|realloc|strdup|strndup|asprintf)\(' \
	    $frugal
	forbid 'waits for name servers' \
	    '(^|[^A-Za-z0-9_])(getaddrinfo|gethostbyname)\(' $nameless
}
exit $rc
