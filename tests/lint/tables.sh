#!/bin/sh
# SPDX-License-Identifier: ISC
# tables.sh params|events|verdicts - print a .def table, see tables.c.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
${CC:-cc} -w -Iinclude -o "$dir/tables" tests/lint/tables.c
"$dir/tables" "$1"
