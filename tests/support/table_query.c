/* SPDX-License-Identifier: ISC */
/* tests/support/table_query.c - postmap -q for our tables, to compare with.
 *
 *	table_query SPEC KEY...		the values, one a line
 *	table_query SPEC -		the same for keys on standard input,
 *					"=VALUE", or "-" where there is none
 *
 * Exits with 1 when no key was found and 2 when the table cannot be opened.
 * Complaints go to standard error. */
#include <stdio.h>
#include <string.h>

#include "table/table.h"

static void
on_report(const char *file, int line, const char *text, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

static int
query_lines(const struct table *t)
{
	struct table_match match;
	char key[4096];
	int found = 0;

	while (fgets(key, sizeof(key), stdin) != NULL) {
		key[strcspn(key, "\n")] = '\0';
		if (table_find(t, key, &match) == TABLE_FOUND) {
			printf("=%s\n", match.value);
			found++;
		} else {
			printf("-\n");
		}
	}
	return found;
}

int
main(int argc, char **argv)
{
	struct table_options options = {
	    .postmap = "/usr/sbin/postmap",
	    .report = on_report,
	};
	struct table_match match;
	struct errtext why;
	struct table *t;
	int found = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s SPEC KEY...\n", argv[0]);
		return 2;
	}
	t = table_open(span_str(argv[1]), &options, &why);
	if (t == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 2;
	}
	if (strcmp(argv[2], "-") == 0) {
		found = query_lines(t);
	} else {
		for (int i = 2; i < argc; i++) {
			if (table_find(t, argv[i], &match) == TABLE_ABSENT)
				continue;
			printf("%s\n", match.value);
			found++;
		}
	}
	table_free(&t);
	return found > 0 ? 0 : 1;
}
