/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink messages of any bytes. The first byte of the input says what reads the rest:
 *
 *   p   the parsers: messages one after the other, as if they were dumped
 *   r   a request, as in stand_in.h: datagrams
 *   b   a batch of four messages, the same
 *   g   where the gateways are, and whether an address is this host's, the same
 *   f   the flows of an address of each family, the same
 *   u   all of `up`, from the first look at the kernel on; n `up --dry-run`, d `down`, s `status`,
 *       j `status --json`, c what a connect does
 *
 * and the second which configuration: 0 to 3.
 */
#include "cli/verbs.h"
#include "diagnose/advice.h"
#include "diagnose/flowtables.h"
#include "diagnose/others.h"
#include "diagnose/simulate.h"
#include "kernel/conntrack.h"
#include "kernel/converge.h"
#include "kernel/gateway.h"
#include "kernel/netlink.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_code.h"
#include "kernel/nftables_decode.h"
#include "kernel/nftables_describe.h"
#include "kernel/rtnetlink.h"
#include "model/script.h"
#include "stand_in.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sanitizer/allocator_interface.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))

static const char *const configs[] = {
	"subnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2\n",
	"subnet4 = 10.20.0.0/24, 10.21.128.0/17\n[gateway]\naddress4 = block\ntable = 4711\n",
	("subnet6 = fd20::/64\n[gateway]\naddress4 = direct\naddress6 = fe80::2\ninterface = eth0\n"
	 "mac6 = 02:00:00:00:00:02\n[killswitch]\nforward_others = no\n"),
	"[gateway]\n",
};

#define CONFIGS (sizeof(configs) / sizeof(*configs))

static char directory[512], path[CONFIGS][576];
static struct config config[CONFIGS];

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/*
 * libnftnl ends the program when an attribute has not the size that it should. Here the input ends instead: what was
 * allocated and opened meanwhile goes.
 */

#define ALLOCATED 16384

static jmp_buf input_end;
static bool in_input;
static const volatile void *allocated[ALLOCATED];
static size_t allocations;
static int first_file;

static void on_allocation(const volatile void *memory, size_t size)
{
	(void)size;
	if (in_input && memory && allocations < ALLOCATED)
		allocated[allocations++] = memory;
}

/* The latest are freed first, mostly. */
static void on_free(const volatile void *memory)
{
	for (size_t i = allocations; in_input && i-- > 0;) {
		if (allocated[i] == memory) {
			allocated[i] = allocated[--allocations];
			return;
		}
	}
}

void exit(int status)
{
	void (*real)(int) __attribute__((noreturn));

	if (in_input)
		longjmp(input_end, 1);
	*(void **)&real = dlsym(RTLD_NEXT, "exit");
	real(status);
}

static void clean_up(void)
{
	while (allocations > 0)
		free((void *)allocated[--allocations]);
	close_range((unsigned int)first_file, ~0U, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char buffer[4096];
	const char *parent = getenv("TMPDIR");
	struct report report = { 0 };
	struct sockets sockets;

	(void)argc, (void)argv;
	snprintf(directory, sizeof(directory), "%s/fuzz_netlink.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(directory) || !freopen("/dev/null", "w", stdout) || setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)) != 0)
		abort();
	for (size_t i = 0; i < CONFIGS; i++) {
		FILE *file;

		snprintf(path[i], sizeof(path[i]), "%s/%zu", directory, i);
		file = fopen(path[i], "w");
		if (!file || fprintf(file, "[clients]\n%s[session]\nstate_dir = %s/state\n", configs[i], directory) < 0 ||
		    fclose(file) != 0 || chmod(path[i], 0600) < 0 || config_load(&config[i], path[i], NULL, &report) < 0)
			abort();
	}
	if (__sanitizer_install_malloc_and_free_hooks(on_allocation, on_free) == 0)
		abort();
	present_answer(NULL, 0);
	/* The descriptor of the stand-in stays. */
	sockets_open(&sockets, &report);
	sockets_close(&sockets);
	first_file = dup(STDIN_FILENO);
	close(first_file);
	return 0;
}

/* Not to be read, but made. */
int dprintf(int fd, const char *format, ...)
{
	char line[8192];
	va_list args;
	int length;

	(void)fd;
	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return length;
}

static void take_rule(struct present *present, const struct nlmsghdr *message)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct text text CLEANUP(text_free) = { 0 };
	struct rule rule;

	if (!rtnetlink_parse_rule(message, &rule))
		return;
	require(rule_equal(&rule, &rule), "a rule equals itself");
	rule_add_text(&text, &rule);
	rtnetlink_delete_rule(buffer, &rule);
	present->rule = reallocate(present->rule, present->rules + 1, sizeof(*present->rule));
	present->rule[present->rules++] = rule;
}

static void take_route(struct present *present, const struct nlmsghdr *message)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct text text CLEANUP(text_free) = { 0 };
	struct route route;

	if (!rtnetlink_parse_route(message, &route))
		return;
	require(route_equal(&route, &route), "a route equals itself");
	route_add_text(&text, &route);
	rtnetlink_delete_route(buffer, &route);
	present->route = reallocate(present->route, present->routes + 1, sizeof(*present->route));
	present->route[present->routes++] = route;
}

static void make_wanted(struct wanted *wanted, const struct config *with, const struct host *host)
{
	static struct exits exits;	/* which parts of comments are in */

	exits_free(&exits);
	exits_make(&exits, with);
	for (unsigned int i = 0; i < exits.count; i++)
		exits.exit[i].interface = (struct interface){ 2, "eth0" };
	wanted_make(wanted, with, &exits, host);
}

static void plan_toward(const struct config *with, const struct present *present, enum goal goal)
{
	static const struct host host = { .ipsec = true };
	struct text script CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct wanted wanted;
	struct plan plan;

	make_wanted(&wanted, with, &host);
	nftables_compile(&wanted.guard);
	if ((goal == GOAL_INSTALL ? plan_install : plan_remove)(&plan, with, &wanted, present, &report) == 0)
		script_add_plan(&script, "fuzz", &plan);
	plan_free(&plan);
	wanted_free(&wanted);
	report_free(&report);
}

/* Messages as they come, each to the parser of its kind; then what a run makes of them. */
static void take_address(const struct nlmsghdr *message)
{
	struct interface_address address;

	if (rtnetlink_parse_address(message, &address) && address.own.family)
		require(address.length <= address_size(address.own.family) * 8, "a prefix is no longer than its address");
}

static void take_neighbour(struct present *present, const struct nlmsghdr *message)
{
	struct neighbour neighbour;

	if (!rtnetlink_parse_neighbour(message, &neighbour))
		return;
	present->neighbour = make_room_for_one(present->neighbour, present->neighbours, sizeof(*present->neighbour));
	present->neighbour[present->neighbours++] = neighbour;
}

static void parse(const struct config *with, const uint8_t *data, size_t size)
{
	/* Of its very size, so that reading behind it is noticed. */
	struct nlmsghdr *messages = malloc(size ? size : 1);
	const struct nlmsghdr *message = messages;
	struct present present = { 0 };
	int left = (int)size;

	if (!messages)
		abort();
	memcpy(messages, data, size);
	for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		switch (message->nlmsg_type) {
		case RTM_NEWRULE:
			take_rule(&present, message);
			break;
		case RTM_NEWROUTE:
			take_route(&present, message);
			break;
		case RTM_NEWADDR:
			take_address(message);
			break;
		case RTM_NEWNEIGH:
			take_neighbour(&present, message);
			break;
		case NFT(NFT_MSG_NEWGEN):
			nftables_parse_generation(message, &present.guard);
			break;
		case NFT(NFT_MSG_NEWTABLE):
			nftables_parse_table(message, &present.guard);
			break;
		case NFT(NFT_MSG_NEWCHAIN):
			nftables_parse_chain(message, with->killswitch_table, &present.guard);
			break;
		case NFT(NFT_MSG_NEWSET):
			nftables_parse_set(message, with->killswitch_table, &present.guard);
			break;
		case NFT(NFT_MSG_NEWFLOWTABLE):
			nftables_parse_flowtable(message, with->killswitch_table, &present.guard);
			break;
		case NFT(NFT_MSG_NEWSETELEM):
			nftables_parse_elements(message, with->killswitch_table, &present.guard);
			break;
		case NFT(NFT_MSG_NEWRULE):
			nftables_parse_rule(message, with->killswitch_table, &present.guard);
			break;
		}
	}
	plan_toward(with, &present, GOAL_INSTALL);
	plan_toward(with, &present, GOAL_REMOVE);
	present_free(&present);
	free(messages);
}

static void check_error(const struct netlink_error *error)
{
	int status = netlink_error_status(error);

	require(error->number > 0, "a refusal has an errno");
	require(netlink_error_text(error)[0] != '\0', "a refusal has words");
	require(status == EX_OSERR || status == EX_NOPERM || status == EX_TEMPFAIL, "a refusal has an exit status");
}

static int count_message(const struct nlmsghdr *message, void *data)
{
	require(message->nlmsg_len >= MNL_NLMSG_HDRLEN, "a message that is handed on has a header");
	++*(unsigned int *)data;
	return 0;
}

static void request(struct sockets *sockets)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	unsigned int messages = 0;

	if (netlink_request(&sockets->route, rtnetlink_dump_rules(buffer), count_message, &messages, &error) < 0)
		check_error(&error);
	if (netlink_request(&sockets->route, rtnetlink_dump_rules(buffer), NULL, NULL, &error) < 0)
		check_error(&error);
}

static void send_batch(const struct config *with, struct sockets *sockets)
{
	static const struct host host = { .ipsec = true };
	struct text text CLEANUP(text_free) = { 0 };
	struct nftables_batch batch;
	struct netlink_error error;
	struct wanted wanted;

	make_wanted(&wanted, with, &host);
	nftables_make_batch(&batch, &wanted.guard, true, true, 0, &sockets->nft.sequence);
	/* The last of the batch wait for none: an input that answers all would be long. */
	if (netlink_send_batch(&sockets->nft, batch.buffer, batch.size, batch.first, batch.first + 3, &error) < 0) {
		check_error(&error);
		nftables_describe(&text, &batch, error.sequence, error.offset);
		require(text.length > 0, "the object of a refusal has a name");
	}
	free(batch.buffer);
	wanted_free(&wanted);
}

static void find_gateways(const struct config *with, struct sockets *sockets)
{
	static const struct address address = { .family = AF_INET, .bytes = { 10, 20, 0, 1 } };
	struct exits exits;
	struct report report = { 0 };

	gateway_is_local(&sockets->route, &address);
	exits_make(&exits, with);
	require(gateway_find(&sockets->route, with, NULL, &exits, &report) == report.errors.count, "each reason is said once");
	gateway_advise(&sockets->route, with, &exits, &report);
	exits_free(&exits);
	report_free(&report);
}

static void forget_flows(struct sockets *sockets)
{
	static const char *const prefixes[] = { "10.20.0.50/32", "fd20::/64", "10.20.0.51/32", "10.20.0.52/32", "10.20.0.53/32" };
	struct prefix whose[sizeof(prefixes) / sizeof(*prefixes)];
	struct netlink_error error = { 0 };
	struct report report = { 0 };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		require(prefix_parse(&whose[i], prefixes[i]), "a network is one");
	/* Of a few the kernel itself selects them. */
	for (size_t count = 1; count <= sizeof(prefixes) / sizeof(*prefixes); count++)
		if (conntrack_end(&sockets->nft, whose, count, NULL, NULL, &error) < 0)
			conntrack_warn(whose, count, &error, &report);
	require(report.status == 0, "flows that stay are no error");
	report_free(&report);
}

static void connect_once(const struct config *with, struct sockets *sockets)
{
	static const struct remembered nothing = { .quick = true };
	struct situation situation;
	struct report report = { 0 };
	enum change change;

	if (situation_read(&situation, with, goal_of(with), &nothing, sockets, &report) == 0 &&
	    converge(&situation, with, &nothing, sockets, &change, &report) == 0) {
		advise_bypasses(with, &situation, &sockets->route, &report);
		advise(with, &situation, NULL, &report);
	} else {
		require(report.status != 0 && report.errors.count > 0, "what fails says why");
	}
	situation_free(&situation);
	report_free(&report);
}

static void verb(struct result (*run)(const struct options *), const char *with, bool json, bool dry_run)
{
	const struct options options = {
		.config = with, .json = json, .dry_run = dry_run, .argument = { json ? "fd20::50" : "10.20.0.50" },
	};
	int error = run(&options).error;

	require(error == 0 || error == 1 || error >= EX_USAGE, "a verb has one of the exit statuses");
}

static void take_nft(struct ruleset *ruleset, struct flowtables *flowtables, const struct nlmsghdr *message)
{
	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return;
	if (message->nlmsg_type == NFT(NFT_MSG_NEWFLOWTABLE))
		flowtables_take(message, flowtables);
	else if (message->nlmsg_type == NFT(NFT_MSG_NEWSETELEM) && ruleset->sets > 0)
		ruleset_take_elements(message, ruleset->set[ruleset->sets - 1].set);
	else if (ruleset_take(message, ruleset) != 0)
		longjmp(input_end, 1);
	if (ruleset->sets > 0)
		ruleset->set[ruleset->sets - 1].filled = true;
}

static void check_simulation(const struct config *with, const struct simulation *simulation)
{
	struct report report = { 0 };

	for (size_t i = 0; i < simulation->passages; i++) {
		const struct passage *passage = &simulation->passage[i];

		require(passage->first + passage->effects <= simulation->effects, "effects of a passage are there");
		require(passage->cause == NO_EFFECT || passage->cause < simulation->effects, "the cause is there");
		require(passage->ended != YES || passage->cause != NO_EFFECT, "what ends has a cause");
		others_report(with, simulation, passage, "this packet", &report);
	}
	require(simulation->arrival != ARRIVES_NOT || simulation->cause < simulation->effects, "what does not arrive has a cause");
	report_free(&report);
}

static void send_packet(const struct config *with, const struct ruleset *ruleset, int family, bool reply)
{
	struct simulation simulation = {
		.ruleset = ruleset, .every_chain = reply,
		.packet = { .family = family, .incoming = "vpns0", .outgoing = "eth0", .reply = reply, .on_wire = reply },
	};
	struct packet *packet = &simulation.packet;

	address_parse(&packet->source, family == IPV4 ? "10.20.0.50" : "fd20::50");
	address_parse(&packet->destination, family == IPV4 ? "1.1.1.1" : "2606:4700:4700::1111");
	packet->assumed = packet->source;
	memcpy(packet->assumed_tunnel, packet->incoming, sizeof(packet->assumed_tunnel));
	simulate(&simulation);
	check_simulation(with, &simulation);
	simulation_free(&simulation);
}

static void send_packets(const struct config *with, const uint8_t *data, size_t size)
{
	struct nlmsghdr *messages = malloc(size ? size : 1);
	const struct nlmsghdr *message = messages;
	struct flowtables flowtables = { 0 };
	struct ruleset ruleset = { 0 };
	int left = (int)size;

	if (!messages)
		abort();
	memcpy(messages, data, size);
	for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		take_nft(&ruleset, &flowtables, message);
	if (ruleset_sort(&ruleset)) {
		for (int family = 0; family < FAMILIES; family++) {
			send_packet(with, &ruleset, family, false);
			send_packet(with, &ruleset, family, true);
		}
	}
	flowtables_free(&flowtables);
	ruleset_free(&ruleset);
	free(messages);
}

static void run(const uint8_t *data, size_t size)
{
	size_t which = data[1] % CONFIGS;
	struct report report = { 0 };
	struct sockets sockets;

	present_answer(data + 2, size - 2);
	sockets_open(&sockets, &report);
	switch (data[0]) {
	case 'p':
		parse(&config[which], data + 2, size - 2);
		break;
	case 'r':
		request(&sockets);
		break;
	case 'b':
		send_batch(&config[which], &sockets);
		break;
	case 'g':
		find_gateways(&config[which], &sockets);
		break;
	case 'f':
		forget_flows(&sockets);
		break;
	case 'c':
		connect_once(&config[which], &sockets);
		break;
	case 'u':
		verb(verb_up, path[which], false, false);
		break;
	case 'n':
		verb(verb_up, path[which], false, true);
		break;
	case 'd':
		verb(verb_down, path[which], false, false);
		break;
	case 's':
		verb(verb_status, path[which], false, false);
		break;
	case 'j':
		verb(verb_status, path[which], true, false);
		break;
	case 'e':
		verb(verb_explain, path[which], false, false);
		break;
	case 'o':
		verb(verb_explain, path[which], true, false);
		break;
	case 'x':
		send_packets(&config[which], data + 2, size - 2);
		break;
	}
	sockets_close(&sockets);
	report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	in_input = setjmp(input_end) == 0;
	if (in_input)
		run(data, size);
	else
		clean_up();
	in_input = false;
	allocations = 0;
	return 0;
}
