/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration file of any bytes; what is accepted goes on to the plan and its script. */
#include "config/config.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_code.h"
#include "model/plan.h"
#include "model/script.h"

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
static char path[32], ocserv_conf[32];

/* What a value that is "auto" is made of. */
static void make_ocserv_conf(void)
{
	static const char text[] = "device = vpns\nipv4-network = 10.30.0.0/24\nipv6-network = fd30::/64\n";
	int fd = memfd_create("ocserv.conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	snprintf(ocserv_conf, sizeof(ocserv_conf), "/proc/self/fd/%d", fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	clearenv();
	make_ocserv_conf();
	file = memfd_create("gateway.ini", MFD_CLOEXEC);
	if (file < 0 || fchmod(file, 0600) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* The second opinion: what an accepted file says, read line by line in another way. */

/* Ends @text before its last blanks and returns it behind its first ones. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r", text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

static void cut_comment(char *text)
{
	for (size_t i = 1; text[0] && text[i]; i++) {
		if (text[i] == ';' && (text[i - 1] == ' ' || text[i - 1] == '\t')) {
			text[i] = '\0';
			return;
		}
	}
}

static int find_key(const char *section, const char *name)
{
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (strcmp(key.section, section) == 0 && strcmp(key.name, name) == 0)
			return i;
	}
	return -1;
}

static int find_whose(const char *section)
{
	static const char *const sections[WHOSE] = { "users", "groups", "vhosts" };

	for (int whose = 0; whose < WHOSE; whose++)
		if (strcmp(section, sections[whose]) == 0)
			return whose;
	return -1;
}

/* The end of the name that a line begins with, with its quotes. */
static char *name_end(char *line)
{
	char *end = line + 1;

	if (line[0] != '"')
		return line;
	while (*end && *end != '"')
		end += end[0] == '\\' && end[1] ? 2 : 1;
	require(*end == '"', "an accepted name has both quotes");
	return end + 1;
}

/* A name without quotes is as it stands, one with quotes without its backslashes. */
static void check_name(const struct assignment *assignment, char *written)
{
	const char *name = assignment->name;

	require(assignment->pattern == (written[0] != '"' && strpbrk(written, "*?")), "patterns are those without quotes");
	if (written[0] != '"') {
		require(strcmp(name, written) == 0, "a name is what stands there");
		return;
	}
	for (written++; written[1]; written++) {
		written += written[0] == '\\';
		require(*name++ == *written, "a name in quotes is what stands there");
	}
	require(!*name && *written == '"', "and no more");
}

static void check_assignment(const struct config *config, int whose, char *line, unsigned int number)
{
	const struct assignments *assigned = &config->assigned[whose];
	char *equals = strchr(name_end(line), '=');
	unsigned int i = 0;

	require(equals, "each accepted line that sends somebody has a gateway");
	*equals = '\0';
	while (i < assigned->count && assigned->each[i].line != number)
		i++;
	require(i < assigned->count, "each accepted line that sends somebody does so");
	cut_comment(equals + 1);
	require(strcmp(assigned->each[i].value, trim(equals + 1)) == 0, "it sends to what stands there");
	require(assigned->each[i].gateway == config_gateway_named(config, assigned->each[i].value), "and there is such a gateway");
	check_name(&assigned->each[i], trim(line));
}

/* That of [gateway NAME], else the first one. */
static const struct gateway *find_gateway(const struct config *config, const char *section)
{
	const struct gateway *gateway;

	if (strncmp(section, "gateway ", 8) != 0 && strncmp(section, "gateway\t", 8) != 0)
		return &config->gateway[0];
	gateway = config_gateway_named(config, section + 8 + strspn(section + 8, " \t"));
	require(gateway && gateway->setting, "each gateway of an accepted file is there");
	return gateway;
}

/* Returns 1 where the line sets a value. */
static unsigned int check_pair(const struct config *config, const char *section, char *line, unsigned int number)
{
	const struct gateway *gateway = find_gateway(config, section);
	size_t length = strcspn(line, "=");
	const struct setting *setting;
	char *value = line + length + 1;
	int key;

	if (find_whose(section) >= 0) {
		check_assignment(config, find_whose(section), line, number);
		return 0;
	}

	require(line[length] != '\0', "each accepted line that is no section has a value");
	line[length] = '\0';
	key = find_key(gateway->setting ? "gateway" : section, trim(line));
	require(key >= 0, "each key of an accepted file is known");
	setting = gateway_setting(config, gateway, (enum config_key)key);
	cut_comment(value);
	value = trim(value);
	require(value[0] != '\0', "each key of an accepted file has a value");
	/* The target's own file comes before one that the input names. */
	if (key == KEY_OCSERV_CONF)
		return 0;
	require(setting->origin == FROM_FILE && setting->line == number, "each value of an accepted file is used");
	require(setting->automatic || strcmp(setting->value, value) == 0, "a value is used as it stands in the file");
	return 1;
}

static void check_accepted(const struct config *config, char *content)
{
	char *line, *end, *section = "";
	unsigned int number = 0, values = 0;

	if (strncmp(content, "\xef\xbb\xbf", 3) == 0)
		content += 3;
	while ((line = strsep(&content, "\n"))) {
		number++;
		line = trim(line);
		if (!line[0] || line[0] == '#' || line[0] == ';')
			continue;
		if (line[0] != '[') {
			values += check_pair(config, section, line, number);
			continue;
		}
		cut_comment(line);
		section = trim(line) + 1;
		end = strchr(section, ']');
		require(end && !end[1], "an accepted section line is a section and no more");
		*end = '\0';
	}
	for (int i = 0; i < CONFIG_KEYS; i++) {
		values -= config->setting[i].origin == FROM_FILE;
		for (unsigned int j = 1; j < config->gateways; j++)
			values -= config->gateway[j].setting[i].origin == FROM_FILE;
	}
	require(values == 0, "no value is used that is not in the file");
}

/* All that is made of a configuration without a kernel. */
static void use(const struct config *config)
{
	static const struct host host = { .ipsec = true, .left_out = { "vpns-office" }, .left_outs = 1 };
	static const struct present empty;
	struct text script CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct nftables_batch batch;
	struct wanted wanted;
	struct exits exits;
	struct plan plan;
	uint32_t sequence = 0;
	bool covered = config_covers(config, IPV4) || config_covers(config, IPV6);

	exits_make(&exits, config);
	for (unsigned int i = 0; i < exits.count; i++)
		exits.exit[i].interface = (struct interface){ 2, "eth0" };
	wanted_make(&wanted, config, &exits, &host);
	nftables_compile(&wanted.guard);
	nftables_make_batch(&batch, &wanted.guard, true, true, 0, &sequence);
	free(batch.buffer);
	require((covered ? plan_install : plan_remove)(&plan, config, &wanted, &empty, &report) == 0,
		"an empty kernel has no conflict");
	if (covered)
		require(plan.steps > 0 && plan.step[0].kind == STEP_GUARD_LOAD, "the kill switch is the first step");
	else
		require(plan.steps == 0, "where nothing is covered, nothing is installed");
	require(!config_is_plain(config) || !config->asking_line, "what asks for a gateway is not plain");
	script_add_plan(&script, "fuzz", &plan);
	plan_free(&plan);
	wanted_free(&wanted);
	exits_free(&exits);
	report_free(&report);
}

static void check_report(const struct report *report)
{
	require(report->status == EX_CONFIG && report->errors.count > 0, "a refused file has an error");
	for (size_t i = 0; i < report->errors.count; i++)
		require(strncmp(report->errors.line[i], path, strlen(path)) == 0, "each error names the file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report = { 0 };
	struct config config;

	if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	if (config_load(&config, path, ocserv_conf, &report) == 0) {
		char *content = malloc(size + 1);

		require(report.status == 0 && report.errors.count == 0, "an accepted file has no error");
		if (!content)
			abort();
		/* NULs are accepted in comments alone: let them not end the text. */
		for (size_t i = 0; i < size; i++)
			content[i] = data[i] ? (char)data[i] : '\1';
		content[size] = '\0';
		check_accepted(&config, content);
		free(content);
		use(&config);
	} else {
		check_report(&report);
	}
	config_free(&config);
	report_free(&report);
	return 0;
}
