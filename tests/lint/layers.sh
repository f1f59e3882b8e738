#!/bin/sh
# SPDX-License-Identifier: ISC
# Hold tests/lint/layers.txt true: who may include whom, and which single room
# knows which library.
set -eu
cd "$(dirname "$0")/../.."

# shellcheck disable=SC2016 # awk's dollars
find src/* include/* -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
	function complain(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		bad = 1
	}
	# "^src/net/" stands for the rooms that may include <event2/...>.
	function only(header, where) {
		if (index($0, "<" header) && FILENAME !~ where)
			complain("<" header "> is for " where " alone")
	}
	BEGIN {
		while ((getline line < "tests/lint/layers.txt") > 0) {
			if (line ~ /^#/ || split(line, part, ":") != 2)
				continue
			known[part[1]] = 1
			n = split(part[2], to, " ")
			for (i = 1; i <= n; i++)
				may[part[1], to[i]] = 1
		}
	}
	FNR == 1 {
		split(FILENAME, path, "/")
		room = path[2]
		# src/doorbelld.c is at the top of all.
		top = room ~ /\./
		if (!top && !(room in known))
			complain("folder " room " is not in layers.txt")
	}
	/^#[ \t]*include[ \t]*"/ {
		split($0, quoted, "\"")
		split(quoted[2], to, "/")
		if (!(to[1] in known))
			complain("\"" quoted[2] "\" names no folder")
		else if (!top && to[1] != room && !((room, to[1]) in may))
			complain(room " must not include " quoted[2])
	}
	/^#[ \t]*include[ \t]*</ {
		only("event2/", "^(src|include)/net/")
		only("ares.h", "^src/lookup/dns_channel[.]c")
		only("lmdb.h", "^src/lookup/cache[a-z_]*[.]c")
		only("pcre2.h", "^src/table/")
		only("openssl/", "^src/net/tls[a-z_]*[.]c")
	}
	END { exit bad }
'
