/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/fast_path.h"
#include "kernel/nftables_code.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static char directory[64];

static void must(bool done, const char *what, const char *name)
{
	if (!done)
		fail_msg("can't %s %s: %s", what, name, strerror(errno));
}

/* Directory */

static void clear_environment(void)
{
	static const char *const names[] = {
		"OCSERV_GATEWAY_CONFIG", "REASON", "ID", "USERNAME", "GROUPNAME", "VHOST", "DEVICE", "IP_REAL",
		"IP_REMOTE", "IPV6_REMOTE", "REMOTE_HOSTNAME", "OCSERV_DNS", "STATS_DURATION", "STATS_BYTES_IN",
		"STATS_BYTES_OUT", "VPN_GATEWAYS", "VPN_GATEWAYS6", "VPN_GATEWAYS_FILE", "VPN_USER_GATEWAY",
	};

	for (size_t i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (key.environment)
			unsetenv(key.environment);
	}
}

int enter_directory(void **state)
{
	(void)state;
	clear_environment();
	strcpy(directory, "/tmp/ocserv-gateway-test.XXXXXX");
	return mkdtemp(directory) ? chdir(directory) : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

int leave_directory(void **state)
{
	(void)state;
	/* A test that failed as nobody is still that. */
	if (getuid() == 0 && seteuid(0) < 0)
		return -1;
	clear_environment();
	return chdir("/") < 0 ? -1 : nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *directory_path(void)
{
	return directory;
}

void write_bytes(const char *name, const void *bytes, size_t length)
{
	int fd;

	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && fchmod(fd, 0600) == 0, "write", name);
	close(fd);
}

void write_file(const char *name, const char *content)
{
	write_bytes(name, content, strlen(content));
}

char *read_file(const char *name)
{
	struct text text = { 0 };
	char buffer[4096];
	ssize_t got;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		text_add_bytes(&text, buffer, (size_t)got);
	close(fd);
	return text.data ? text.data : duplicate("");
}

void run_as_nobody(void (*function)(void))
{
	bool root = geteuid() == 0;

	must(!root || (chown(".", NOBODY, NOBODY) == 0 && seteuid(NOBODY) == 0), "become", "nobody");
	function();
	must(!root || seteuid(0) == 0, "become", "root");
}

/* Workers */

struct worker begin_worker(const char *name)
{
	struct worker worker;
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	worker.pid = fork();
	if (worker.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		close(ready[0]);
		close(ready[1]);
		pause();
		_exit(0);
	}
	assert_true(worker.pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	snprintf(worker.id, sizeof(worker.id), "%d", (int)worker.pid);
	return worker;
}

void end_worker(const struct worker *worker)
{
	kill(worker->pid, SIGKILL);
	assert_int_equal(waitpid(worker->pid, NULL, 0), worker->pid);
}

/* Configuration and wanted state */

int load_text(struct config *config, const char *text, struct report *report)
{
	write_file("gateway.ini", text);
	return config_load(config, "gateway.ini", NULL, report);
}

void load_valid(struct config *config, const char *text)
{
	struct report report = { 0 };

	if (load_text(config, text, &report) < 0)
		fail_msg("%s", report.errors.line[0]);
	report_free(&report);
}

void exits_found(struct exits *exits, const struct config *config)
{
	static const struct interface found[FAMILIES] = { { 2, "eth0" }, { 3, "eth1" } };

	exits_make(exits, config);
	for (unsigned int i = 0; i < exits->count; i++)
		if (exit_is_link(&exits->exit[i]))
			exits->exit[i].interface.index = 4;
		else
			exits->exit[i].interface = found[exits->exit[i].family];
}

void example_make(struct example *example, const char *text)
{
	static const struct host host = { .ipsec = true };

	example_make_on(example, text, &host);
}

void example_make_on(struct example *example, const char *text, const struct host *host)
{
	struct link link[] = { { .index = 7, .name = "vpns0" }, { .index = 8, .name = "eth9" } };
	const struct links links = { link, COUNT(link) };
	struct host own = *host;

	load_valid(&example->config, text);
	exits_found(&example->exits, &example->config);
	own.fast = example->config.fast_path == FAST_PATH_YES;
	wanted_make(&example->wanted, &example->config, &example->exits, &own);
	if (own.fast)
		fast_path_add_devices(&example->wanted.guard, &example->config, &example->exits, &own, &links);
	nftables_compile(&example->wanted.guard);
}

void example_free(struct example *example)
{
	wanted_free(&example->wanted);
	exits_free(&example->exits);
	config_free(&example->config);
}

/* Present state */

static char *duplicate_or_null(const char *string)
{
	return string ? duplicate(string) : NULL;
}

struct rule *present_add_rule(struct present *present, const struct rule *rule)
{
	size_t place = 0;

	while (place < present->rules && (present->rule[place].family < rule->family ||
					 (present->rule[place].family == rule->family &&
					  present->rule[place].priority <= rule->priority)))
		place++;
	present->rule = reallocate(present->rule, present->rules + 1, sizeof(*present->rule));
	memmove(&present->rule[place + 1], &present->rule[place], (present->rules - place) * sizeof(*present->rule));
	present->rules++;
	present->rule[place] = *rule;
	present->rule[place].other = duplicate_or_null(rule->other);
	return &present->rule[place];
}

struct route *present_add_route(struct present *present, const struct route *route)
{
	struct route *added;

	present->route = reallocate(present->route, present->routes + 1, sizeof(*present->route));
	added = &present->route[present->routes++];
	*added = *route;
	added->other = duplicate_or_null(route->other);
	return added;
}

void present_drop_rule(struct present *present, size_t index)
{
	rule_free(&present->rule[index]);
	present->rules--;
	memmove(&present->rule[index], &present->rule[index + 1], (present->rules - index) * sizeof(*present->rule));
}

void present_drop_route(struct present *present, size_t index)
{
	route_free(&present->route[index]);
	present->routes--;
	memmove(&present->route[index], &present->route[index + 1], (present->routes - index) * sizeof(*present->route));
}

static size_t index_of_neighbour(const struct present *present, const struct neighbour *neighbour)
{
	for (size_t i = 0; i < present->neighbours; i++)
		if (present->neighbour[i].interface == neighbour->interface &&
		    address_equal(&present->neighbour[i].address, &neighbour->address))
			return i;
	return present->neighbours;
}

struct neighbour *present_set_neighbour(struct present *present, const struct neighbour *neighbour)
{
	size_t place = index_of_neighbour(present, neighbour);

	if (place == present->neighbours) {
		present->neighbour = reallocate(present->neighbour, place + 1, sizeof(*present->neighbour));
		present->neighbours++;
	}
	present->neighbour[place] = *neighbour;
	return &present->neighbour[place];
}

void present_drop_neighbour(struct present *present, const struct neighbour *neighbour)
{
	size_t place = index_of_neighbour(present, neighbour);

	assert_true(place < present->neighbours);
	present->neighbour[place] = present->neighbour[--present->neighbours];
}

static void take_chain(struct present_chain *present, const struct guard_chain *wanted)
{
	*present = (struct present_chain){
		.name = duplicate(wanted->name),
		.type = duplicate_or_null(wanted->type),
		.hook = wanted->hook,
		.priority = wanted->priority,
		.policy = NF_ACCEPT,
		.rule = allocate(wanted->rules, sizeof(*present->rule)),
		.rules = wanted->rules,
	};
	for (size_t i = 0; i < wanted->rules; i++) {
		const struct text *code = &wanted->rule[i].code;
		char comment[GUARD_COMMENT];

		present->rule[i].handle = i + 1;
		present->rule[i].comment = duplicate(guard_comment(&wanted->rule[i], comment));
		text_add_bytes(&present->rule[i].code, code->data, code->length);
	}
}

void present_drop_guard(struct present *present)
{
	struct present only_guard = { .guard = present->guard };

	present_free(&only_guard);
	present->guard = (struct present_guard){ 0 };
}

static void take_set(struct present_set *present, const struct guard_set *set)
{
	*present = (struct present_set){ .name = set->name, .kind = set->kind, .family = set->family, .bounds = 2 * set->prefixes };
	present->bound = allocate(present->bounds, sizeof(*present->bound));
	for (size_t i = 0; i < set->prefixes; i++) {
		struct range range = prefix_range(&set->prefix[i]);

		present->bound[2 * i].address = range.first;
		present->bound[2 * i + 1].end = true;
		assert_true(range_next(&range, &present->bound[2 * i + 1].address));
	}
	/* What is not to be there is not taken. */
	present->element = allocate(set->elements, sizeof(*present->element));
	for (size_t i = 0; i < set->elements; i++)
		if (!guard_set_is_map(set) || set->element[i].chain[0])
			present->element[present->elements++] = set->element[i];
}

void present_set_guard(struct present *present, const struct guard *guard)
{
	present_drop_guard(present);
	present->guard.exists = true;
	present->guard.sets = guard->sets;
	present->guard.set = allocate(guard->sets, sizeof(*present->guard.set));
	for (size_t i = 0; i < guard->sets; i++)
		take_set(&present->guard.set[i], &guard->set[i]);
	present->guard.fast = (struct present_fast){ .there = guard->fast.on, .devices = guard->fast.devices };
	present->guard.fast.device = allocate(guard->fast.devices, sizeof(*guard->fast.device));
	for (size_t i = 0; i < guard->fast.devices; i++)
		present->guard.fast.device[i] = guard->fast.device[i];
	present->guard.chains = guard->chains;
	present->guard.chain = allocate(guard->chains, sizeof(*present->guard.chain));
	for (size_t i = 0; i < guard->chains; i++)
		take_chain(&present->guard.chain[i], &guard->chain[i]);
}

void present_fresh(struct present *present)
{
	static const struct { uint32_t priority, table; } own[] = {
		{ 0, RT_TABLE_LOCAL }, { 32766, RT_TABLE_MAIN }, { 32767, RT_TABLE_DEFAULT },
	};

	*present = (struct present){ 0 };
	for (int family = 0; family < FAMILIES; family++)
		for (size_t i = 0; i < COUNT(own); i++)
			present_add_rule(present, &(struct rule){
				.family = family_of(family),
				.priority = own[i].priority,
				.action = FR_ACT_TO_TBL,
				.table = own[i].table,
				.suppress_prefixlength = -1,
				.protocol = RTPROT_KERNEL,
			});
}

void present_as_wanted(struct present *present, const struct wanted *wanted)
{
	present_fresh(present);
	for (size_t i = 0; i < wanted->rules; i++)
		present_add_rule(present, &wanted->rule[i]);
	for (size_t i = 0; i < wanted->routes; i++)
		present_add_route(present, &wanted->route[i]);
	for (size_t i = 0; i < wanted->neighbours; i++)
		present_set_neighbour(present, &wanted->neighbour[i]);
	if (wanted->guard.chains > 0)
		present_set_guard(present, &wanted->guard);
}

/* Values and assertions */

struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	if (!prefix_parse(&prefix, text))
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

struct address address_of(const char *text)
{
	struct address address;

	if (!address_parse(&address, text))
		fail_msg("'%s' is no address", text);
	return address;
}

bool lines_hold(const struct lines *lines, const char *fragment)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strstr(lines->line[i], fragment))
			return true;
	return false;
}

void check_line(const struct lines *lines, const char *fragment, const char *file, int line)
{
	if (lines_hold(lines, fragment))
		return;
	print_error("no line holds: %s\n", fragment);
	for (size_t i = 0; i < lines->count; i++)
		print_error("  there is: %s\n", lines->line[i]);
	_fail(file, line);
}

void check_contains(const char *string, const char *fragment, const char *file, int line)
{
	if (string && strstr(string, fragment))
		return;
	print_error("this does not hold: %s\n  there is: %s\n", fragment, string ? string : "(nothing)");
	_fail(file, line);
}

/* Shows the first line in which two texts differ. */
static void print_difference(const char *expected, const char *text)
{
	unsigned int number = 1;

	while (*expected && *text && strcspn(expected, "\n") == strcspn(text, "\n") &&
	       strncmp(expected, text, strcspn(text, "\n")) == 0) {
		expected += strcspn(expected, "\n");
		text += strcspn(text, "\n");
		expected += *expected == '\n';
		text += *text == '\n';
		number++;
	}
	print_error("line %u\n  expected: %.*s\n       got: %.*s\n", number, (int)strcspn(expected, "\n"), expected,
		    (int)strcspn(text, "\n"), text);
}

void check_golden(const char *name, const char *text, const char *file, int line)
{
	char path[PATH_MAX], *expected;

	snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIRECTORY, name);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *golden = fopen(path, "w");

		must(golden && fputs(text, golden) >= 0 && fclose(golden) == 0, "write", path);
		return;
	}
	expected = read_file(path);
	must(expected != NULL, "read", path);
	if (strcmp(expected, text) != 0) {
		print_error("%s: UPDATE_GOLDEN=1 writes it anew\n", path);
		print_difference(expected, text);
		free(expected);
		_fail(file, line);
	}
	free(expected);
}
