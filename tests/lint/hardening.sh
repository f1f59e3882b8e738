#!/bin/sh
# SPDX-License-Identifier: ISC
# What the compiler and the linker were asked for is in the programs: a position
# of their own, read-only relocations, stack protection, checked copies, and
# landing pads where the processor has them.
set -eu
cd "$(dirname "$0")/../.."
rc=0
directory=$(dirname "${DOORBELLD:-build/plain/doorbelld}")

complain() {
	echo "$1: $2"
	rc=1
}

# A sanitizer brings checks of its own.
if nm -D "$directory/doorbelld" | grep -q '__asan_init\|__ubsan_'; then
	exit 0
fi
for program in "$directory/doorbelld" "$directory/doorbellctl"; do
	dynamic=$(readelf -dW "$program")
	readelf -hW "$program" | grep -q 'Type:.*DYN' ||
		complain "$program" "is not position independent"
	readelf -lW "$program" | grep -q GNU_RELRO ||
		complain "$program" "has no read-only relocations"
	case $dynamic in
	*BIND_NOW* | *'Flags: NOW'*) ;;
	*) complain "$program" "binds lazily" ;;
	esac
	case $dynamic in
	*RPATH* | *RUNPATH*) complain "$program" "has a library path" ;;
	esac
	if readelf -lW "$program" | grep GNU_STACK | grep -q RWE; then
		complain "$program" "has an executable stack"
	fi
	symbols=$(nm -D "$program")
	case $symbols in
	*__stack_chk_fail*) ;;
	*) complain "$program" "has no stack protector" ;;
	esac
	case $symbols in
	*_chk@*) ;;
	*) complain "$program" "has no checked copies (FORTIFY)" ;;
	esac
	if [ "$(uname -m)" = x86_64 ]; then
		# The C library's own start files may have none, so there is
		# no note about the whole program.
		objdump -d --disassemble=main "$program" | grep -q endbr64 ||
			complain "$program" "has no landing pads"
	fi
done
exit $rc
