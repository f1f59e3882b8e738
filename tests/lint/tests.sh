#!/bin/sh
# SPDX-License-Identifier: ISC
# Every test file is run by some target: the check asks make what it would run.
set -eu
cd "$(dirname "$0")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES 2>/dev/null || true
rc=0

complain() {
	echo "$1: $2"
	rc=1
}

# plan TARGET: the command lines, joined where they are continued.
plan() {
	make -s -n "$1" 2>/dev/null |
	    sed -e ':a' -e '/\\$/N; s/\\\n//; ta' || true
}

unit=$(plan unit | grep run-tests.sh || true)
for file in $(find tests/unit -name '*.c' | sort); do
	case " $unit " in
	*"${file%.c} "*) ;;
	*) complain "$file" "make unit does not run it" ;;
	esac
done

fuzz=$(plan fuzz-corpus)
for file in tests/fuzz/*.c; do
	[ -e "$file" ] || continue
	name=$(basename "$file" .c)
	corpus=tests/fuzz/corpus/${name#fuzz_}
	case $fuzz in
	*"${file%.c}"*) ;;
	*) complain "$file" "make fuzz-corpus does not run it" ;;
	esac
	[ -n "$(ls "$corpus" 2>/dev/null)" ] ||
		complain "$file" "there is nothing in $corpus"
done
for corpus in tests/fuzz/corpus/*/; do
	[ -e "$corpus" ] || continue
	target=tests/fuzz/fuzz_$(basename "$corpus").c
	[ -e "$target" ] || complain "$corpus" "there is no $target"
done

# shellcheck disable=SC2046,SC2005 # unquoted, so that *.bell is expanded
replay=$(echo $(plan replay | grep '[.]bell'))
for file in $(find tests/replay -name '*.bell' | sort); do
	case " $replay " in
	*" $file "*) ;;
	*) complain "$file" "make replay does not run it" ;;
	esac
	grep -q '^scenario ' "$file" || complain "$file" "has no scenario"
done

integration=$(plan integration)
case $integration in
*tests/integration*) ;;
*) complain Makefile "make integration does not run tests/integration" ;;
esac
lost=$(grep -rl --include='*.py' '^def test_' tests |
    grep -v '^tests/integration/test_[^/]*$' || true)
[ -z "$lost" ] || complain "$lost" "holds tests, but pytest does not look there"
for file in tests/integration/test_*.py; do
	grep -q '^def test_' "$file" || complain "$file" "has no test"
done
parity=$(plan parity)
for file in tests/parity/*.py; do
	[ -e "$file" ] || continue
	case $parity in
	*" $file"*) ;;
	*) complain "$file" "make parity does not run it" ;;
	esac
done

for file in tests/lint/*.sh; do
	[ -x "$file" ] || complain "$file" "cannot be run"
done
exit $rc
