/* Appends records with libpmemlog: path, bytes a record, records a trial, trials. Prints nanoseconds a record of each trial. */
#include <libpmemlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	size_t length = strtoul(argv[2], NULL, 10);
	long records = atol(argv[3]);
	PMEMlogpool *log = pmemlog_create(argv[1], (size_t)records * length + (8 << 20), 0600);
	char *record = malloc(length);
	if (log == NULL || record == NULL) {
		fprintf(stderr, "%s\n", pmemlog_errormsg());
		return 1;
	}
	memset(record, 7, length);
	for (int trial = 0; trial < atoi(argv[4]); trial++) {
		pmemlog_rewind(log);
		double start = now();
		for (long i = 0; i < records; i++)
			if (pmemlog_append(log, record, length) != 0) {
				fprintf(stderr, "%s\n", pmemlog_errormsg());
				return 1;
			}
		printf("%.2f\n", (now() - start) / records);
	}
	pmemlog_close(log);
	return 0;
}
