/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hook in any environment. The input is lines of NAME=VALUE, of the variables below alone; a byte 1 in a
 * value stands for a newline. `config=NAME` chooses one of the configurations below, `option=dry-run` is that
 * of the command line, and `run` ends the environment of one run and begins that of the next, in the same
 * kernel and state directory.
 */
#include "base/log.h"
#include "cli/hook.h"
#include "sessions/session.h"
#include "stand_in.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"REASON", "ID", "USERNAME", "GROUPNAME", "VHOST", "DEVICE", "IP_REAL", "IP_REMOTE", "IPV6_REMOTE",
	"OCSERV_DNS", "HOSTNAME", "REMOTE_HOSTNAME", "USER_AGENT", "DEVICE_TYPE", "STATS_DURATION", "STATS_BYTES_IN",
	"STATS_BYTES_OUT", "VPN_SUBNET", "IPV6_SUBNET", "VPN_IF", "VPN_GATEWAY", "VPN_GATEWAY6", "WAN_IF",
	"VPN_GATEWAY_TABLE", "VPN_GATEWAY_RULE_PRIO",
};

#define NAMES (sizeof(names) / sizeof(*names))
#define SUBNETS "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n"

/* Its state_dir is added to each. */
static const struct {
	const char *name, *text;
	bool accepts_all;	/* sessions, whatever is in the kernel */
} configs[] = {
	{ "plain", "[log]\nlevel = debug\n[session]\n", true },
	{ "seed", SUBNETS "[gateway]\naddress4 = 172.28.0.2\n[session]\n", false },
	{ "dual-stack", SUBNETS "[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2\n[killswitch]\ndns = block\n"
	  "[session]\nforget_flows = yes\n", false },
	{ "after-last", SUBNETS "[gateway]\naddress4 = block\naddress6 = block\n[session]\nremove_after_last = yes\n",
	  false },
	{ "dry-run", SUBNETS "[gateway]\naddress4 = 172.28.0.2\n[log]\ndry_run = yes\n[session]\n", true },
};

#define CONFIGS (sizeof(configs) / sizeof(*configs))

static char directory[512], state_directory[576];

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *parent = getenv("TMPDIR");

	(void)argc, (void)argv;
	snprintf(directory, sizeof(directory), "%s/fuzz_hook.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(directory))
		abort();
	snprintf(state_directory, sizeof(state_directory), "%s/state", directory);
	for (size_t i = 0; i < CONFIGS; i++) {
		char path[576];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", directory, configs[i].name);
		file = fopen(path, "w");
		if (!file || fprintf(file, "%sstate_dir = %s\n", configs[i].text, state_directory) < 0 || fclose(file) != 0 ||
		    chmod(path, 0600) < 0)
			abort();
	}
	if (!freopen("/dev/null", "w", stdout))
		abort();
	log_path = "/dev/null";
	return 0;
}

/* Where the log goes: it is read here. */

static void check_line(const char *line)
{
	for (; *line; line++)
		require(*line >= ' ' && *line < 0x7f, "a line of the log is one line of printable ASCII");
}

ssize_t write(int fd, const void *data, size_t length)
{
	char line[8192];

	if (fd != STDERR_FILENO)
		return syscall(SYS_write, fd, data, length);
	require(length > 0 && length <= sizeof(line), "a line of the log is not too long");
	memcpy(line, data, length);
	require(line[length - 1] == '\n', "a line of the log ends as one");
	line[length - 1] = '\0';
	check_line(line);
	return (ssize_t)length;
}

/* One run. */

struct run {
	char *environment[NAMES + 1];
	size_t config;
	struct options options;
};

static const char *variable(const struct run *run, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; run->environment[i]; i++)
		if (strncmp(run->environment[i], name, length) == 0 && run->environment[i][length] == '=')
			return run->environment[i] + length + 1;
	return "";
}

static void take_variable(struct run *run, char *line)
{
	size_t length = strcspn(line, "="), slot = 0;

	for (size_t i = 0; i < NAMES; i++) {
		if (strlen(names[i]) != length || strncmp(names[i], line, length) != 0)
			continue;
		while (run->environment[slot] && strncmp(run->environment[slot], line, length + 1) != 0)
			slot++;
		run->environment[slot] = line;
		for (char *c = line; *c; c++)
			if (*c == '\1')
				*c = '\n';
	}
}

/* Takes lines up to the next `run`. */
static void read_run(struct run *run, char **input)
{
	char *line;

	*run = (struct run){ .config = 1 };
	while ((line = strsep(input, "\n")) && strcmp(line, "run") != 0) {
		if (strcmp(line, "option=dry-run") == 0)
			run->options.dry_run = true;
		for (size_t i = 0; i < CONFIGS; i++)
			if (strncmp(line, "config=", 7) == 0 && strcmp(line + 7, configs[i].name) == 0)
				run->config = i;
		take_variable(run, line);
	}
}

static bool recorded(const char *id)
{
	char path[640];

	snprintf(path, sizeof(path), "%s/sessions/%s", state_directory, id);
	return access(path, F_OK) == 0;
}

/* Unless it is only to be logged or left alone, a session that is accepted is guarded and recorded. */
static void check_connected(const struct run *run, int status)
{
	bool accepted = status == 0 && strcmp(variable(run, "REASON"), "connect") == 0;

	if (!accepted || run->options.dry_run || configs[run->config].accepts_all)
		return;
	require(recorded(variable(run, "ID")), "an accepted session has a record");
	if (strcmp(variable(run, "VPN_GATEWAY"), "direct") == 0 && strcmp(variable(run, "VPN_GATEWAY6"), "direct") == 0)
		return;
	require(present_kept(RTM_NEWRULE) > 0, "an accepted session has policy rules");
	require(present_kept(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) > 0, "an accepted session has a kill switch");
}

static void run_hook(struct run *run)
{
	char **saved = environ, path[576];
	int status;

	snprintf(path, sizeof(path), "%s/%s", directory, configs[run->config].name);
	run->options.config = path;
	environ = run->environment;
	status = hook_run(&run->options).error;
	environ = saved;
	check_connected(run, status);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status, (void)type, (void)position;
	return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *input = malloc(size + 1), *rest = input;

	if (!input)
		abort();
	memcpy(input, data, size);
	input[size] = '\0';
	present_keep();
	for (int runs = 0; rest && runs < 8; runs++) {
		struct run run;

		read_run(&run, &rest);
		run_hook(&run);
	}
	present_keep();
	nftw(state_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(input);
	return 0;
}
