/* SPDX-License-Identifier: ISC */
#include "support/given_addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct addr
given_addr(const char *text)
{
	struct addr a;

	if (addr_parse(span_str(text), &a) < 0)
		fail_msg("%s is not an address", text);
	return a;
}

struct endpoint
given_endpoint(const char *text, uint16_t port)
{
	return (struct endpoint){.addr = given_addr(text), .port = port};
}
