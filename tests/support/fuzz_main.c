/* SPDX-License-Identifier: ISC */
/* tests/support/fuzz_main.c - run a fuzz target over files and directories, so
 * that corpora are regression tests with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { INPUT_MAX = 1024 * 1024 };

static size_t
run_file(const char *path)
{
	FILE *fp = fopen(path, "re");
	uint8_t *bytes = malloc(INPUT_MAX);
	size_t n;

	if (fp == NULL || bytes == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(bytes, 1, INPUT_MAX, fp);
	fclose(fp);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 1;
}

static size_t
run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[4096];
	size_t count = 0;

	if (dir == NULL) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		count += run_file(file);
	}
	closedir(dir);
	return count;
}

int
main(int argc, char **argv)
{
	size_t count = 0;
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			count += run_directory(argv[i]);
		else
			count += run_file(argv[i]);
	}
	printf("%s: %zu inputs\n", argv[0], count);
	return count > 0 ? 0 : 1;
}
