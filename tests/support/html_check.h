/* SPDX-License-Identifier: ISC */
/* support/html_check.h - whether a page is put together well. */
#ifndef DOORBELL_TESTS_HTML_CHECK_H
#define DOORBELL_TESTS_HTML_CHECK_H

#include <stddef.h>

/* Fails the test when an element is not closed or not opened, an attribute has
 * no quotes, an ampersand begins no entity, or a byte is a control character:
 * what comes from elsewhere must not have become a part of the page. */
void html_check(const char *html);

/* Fails the test, and shows what there is, when `wanted` is not in it. */
void html_check_has(const char *html, const char *wanted);
/* The same the other way round. */
void html_check_lacks(const char *html, const char *unwanted);

/* How often it is there. */
size_t html_check_count(const char *html, const char *text);

#endif
