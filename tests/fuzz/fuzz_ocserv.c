/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ocserv's configuration of any bytes: what values that are "auto" become of it, and what `check` finds in it. */
#include "config/ocserv_conf.h"
#include "diagnose/ocserv.h"
#include "stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file = -1;
static char automatic[32], given[32], ocserv_conf[32];

static int make_file(char path[32])
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		abort();
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void write_gateway_ini(char path[32], const char *clients)
{
	int fd = make_file(path);

	if (dprintf(fd, "[clients]\n%s[gateway]\naddress4 = 172.28.0.2\naddress6 = fd00::1\n", clients) < 0)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	clearenv();
	present_keep();
	write_gateway_ini(automatic, "subnet4 = auto\nsubnet6 = auto\ninterface = auto\n");
	write_gateway_ini(given, "subnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n");
	file = make_file(ocserv_conf);
	return 0;
}

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void require_pool(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *pool,
			 void *data)
{
	const struct config *config = data;
	const struct subnets *subnets = &config->subnets[family_index(pool->address.family)];
	bool within = false;

	(void)conf, (void)entry;
	for (unsigned int i = 0; i < subnets->count; i++)
		within = within || (subnets->prefix[i].length <= pool->length &&
				    prefix_contains(&subnets->prefix[i], &pool->address));
	require(within, "a pool that is auto is within the subnets");
}

static void require_all_pools(struct config *config)
{
	struct ocserv_conf conf;

	require(ocserv_conf_read(&conf, ocserv_conf, NULL) == 0, "the file is read again");
	ocserv_conf_visit_pools(&conf, require_pool, config);
	ocserv_conf_free(&conf);
}

static void check(const char *gateway_ini)
{
	struct report report = { 0 };
	struct netlink route;
	struct config config;
	struct ocserv ocserv;
	bool accepted;

	accepted = config_load(&config, gateway_ini, ocserv_conf, &report) == 0;
	require(accepted == (report.status == 0), "what is refused has an error");
	require(accepted || gateway_ini == automatic, "without a value that is auto the file does not matter");
	for (size_t i = 0; i < report.errors.count; i++)
		require(strncmp(report.errors.line[i], gateway_ini, strlen(gateway_ini)) == 0, "each error names the file");
	if (accepted && netlink_open(&route, NETLINK_ROUTE, &report) == 0) {
		ocserv_find(&ocserv, &config);
		require(ocserv_check(&ocserv, &config, &route, &report), "the file is read");
		for (size_t i = 0; i < report.errors.count; i++)
			require(strncmp(report.errors.line[i], ocserv_conf, strlen(ocserv_conf)) == 0,
				"each finding names the file");
		ocserv_free(&ocserv);
		netlink_close(&route);
		if (gateway_ini == automatic)
			require_all_pools(&config);
	}
	config_free(&config);
	report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	check(automatic);
	check(given);
	return 0;
}
