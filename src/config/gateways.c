/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/gateways.h"
#include "config/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define FIRST_TABLE 101		/* of those that name none */
#define PRIORITY_MAIN 32766	/* of the kernel's rule that looks up table main */
#define NO_GATEWAYS 3		/* values of a mark that are of no gateway: see marks.h */

/* What lines say in place of one, and what would make chains of names that others have: to_server. */
static bool is_reserved(const char *name)
{
	static const char *const words[] = {
		"default", "direct", "block", "drop", "link", "server", "client", "subnet", "subnet6",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(name, words[i]) == 0)
			return true;
	return false;
}

/* With _ for each -; false where it is too long for a name. */
static bool take_name(char name[GATEWAY_NAME], const char *written)
{
	size_t length = strlen(written);

	if (length >= GATEWAY_NAME)
		return false;
	for (size_t i = 0; i <= length; i++)
		name[i] = (char)(written[i] == '-' ? '_' : written[i]);
	return true;
}

bool gateway_name_read(char name[GATEWAY_NAME], const char *written, struct text *wrong)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	if (!take_name(name, written) || !name[0] || name[0] == '_' || strspn(name, allowed) != strlen(name)) {
		text_add_string(wrong, "a gateway's name is 1 to 16 of A-Z a-z 0-9 _ -, with a letter or digit first");
		return false;
	}
	if (is_reserved(name)) {
		text_add_string(wrong, "default, direct, block, drop, link, server, client, subnet and subnet6 are reserved; choose "
				       "another name");
		return false;
	}
	return true;
}

/* The place among gateway_order of the first one that does not come before @name. */
static unsigned int find_place(const struct config *config, const char *name)
{
	unsigned int low = 0, high = config->gateways;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (strcmp(config->gateway[config->gateway_order[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Its index; -1 where there is none. */
static int find(const struct config *config, const char *name)
{
	unsigned int place = find_place(config, name);
	int index = place < config->gateways ? config->gateway_order[place] : -1;

	return index >= 0 && strcmp(config->gateway[index].name, name) == 0 ? index : -1;
}

struct gateway *gateways_find(struct config *config, const char *name)
{
	int index = find(config, name);

	return index >= 0 ? &config->gateway[index] : NULL;
}

const struct gateway *config_gateway_named(const struct config *config, const char *word)
{
	char name[GATEWAY_NAME];
	int index;

	if (strcasecmp(word, "direct") == 0)
		return &config->direct;
	if (strcasecmp(word, "block") == 0 || strcasecmp(word, "drop") == 0)
		return &config->block;
	if (strcasecmp(word, "default") == 0)
		return config_default(config);
	index = take_name(name, word) ? find(config, name) : -1;
	return index >= 0 ? &config->gateway[index] : NULL;
}

struct gateway *gateways_add(struct config *config, const char *name, unsigned int line)
{
	struct gateway *gateway;
	unsigned int place;

	if (config->gateways == CONFIG_GATEWAYS)
		return NULL;
	/* Once, lest pointers to them do not last. */
	if (config->gateways == 1)
		config->gateway = reallocate(config->gateway, CONFIG_GATEWAYS, sizeof(*config->gateway));
	gateway = &config->gateway[config->gateways];
	place = find_place(config, name);
	memmove(&config->gateway_order[place + 1], &config->gateway_order[place], config->gateways - place);
	config->gateway_order[place] = (uint8_t)config->gateways++;
	*gateway = (struct gateway){ .masquerade = true, .line = line,
				     .setting = allocate(CONFIG_KEYS, sizeof(*gateway->setting)) };
	memcpy(gateway->name, name, strlen(name) + 1);
	gateway->setting[KEY_MASQUERADE].value = duplicate("yes");
	return gateway;
}

const struct setting *gateway_setting(const struct config *config, const struct gateway *gateway, enum config_key key)
{
	return gateway->setting ? &gateway->setting[key] : &config->setting[key];
}

/* The kernel's own are no gateway's. */
static uint32_t next_table(const struct config *config, uint32_t table)
{
	while ((table >= 253 && table <= 255) || config_has_table(config, table))
		table++;
	return table;
}

static void settle_tables(struct config *config)
{
	uint32_t table = FIRST_TABLE;

	for (unsigned int i = 1; i < config->gateways; i++) {
		struct gateway *gateway = &config->gateway[i];
		char text[16];

		if (gateway->table)
			continue;
		table = next_table(config, table);
		gateway->table = table;
		snprintf(text, sizeof(text), "%u", table);
		free(gateway->setting[KEY_TABLE].value);
		gateway->setting[KEY_TABLE].value = duplicate(text);
	}
}

void gateways_settle(struct config *config)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		for (int family = 0; family < FAMILIES; family++)
			if (config->gateway[i].to[family].mode == GATEWAY_UNSET)
				config->gateway[i].to[family].mode = GATEWAY_BLOCK;
	settle_tables(config);
}

/* An error about the section, not a value of it. */
static int PRINTF(4, 5) section_error(const struct config *config, const struct gateway *gateway, struct report *report,
				      const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	if (gateway->line)
		text_add(&message, "%s:%u: [gateway %s]: ", config->path, gateway->line, gateway->name);
	else
		text_add(&message, "environment: gateway %s: ", gateway->name);
	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	return report_error(report, EX_CONFIG, "%s", text_string(&message));
}

static int check_next_hop(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	const struct subnets *subnets = &config->subnets[family];
	const struct address *address = &gateway->to[family].address;
	char section[GATEWAY_SECTION];
	int result = 0;

	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], address))
			result = gateway_error(config, gateway, report, config_address_key(family), "is inside the client subnet "
					       "%s; the gateway must be another host", subnets->text[i]);
	if (address_is_link_local(address) && !gateway->interface[0])
		result = gateway_error(config, gateway, report, config_address_key(family), "is link-local; set %s interface to "
				       "the interface it is on", gateway_section(gateway, section));
	return result;
}

static int check_link(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	char section[GATEWAY_SECTION];

	if (!gateway->interface[0])
		return gateway_error(config, gateway, report, config_address_key(family), "needs the interface that leads to it; "
				     "write %s interface = NAME, such as wg0", gateway_section(gateway, section));
	if (strcmp(gateway->interface, "lo") == 0)
		return gateway_error(config, gateway, report, KEY_GATEWAY_INTERFACE, "leads only to this host itself; name "
				     "the one via which clients are to leave, such as wg0");
	return 0;
}

static int check_mac(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	enum config_key key = family == IPV4 ? KEY_MAC4 : KEY_MAC6;
	char section[GATEWAY_SECTION];

	if (!gateway->to[family].mac.known || gateway->to[family].mode == GATEWAY_ADDRESS)
		return 0;
	if (gateway->to[family].mode == GATEWAY_LINK)
		return gateway_error(config, gateway, report, key, "address%d = link has no next hop to have a hardware "
				     "address; remove this", family == IPV4 ? 4 : 6);
	return gateway_error(config, gateway, report, key, "there is no %s gateway to have this hardware address; set %s "
			     "address%d to its address, or remove this", family_name(family), gateway_section(gateway, section),
			     family == IPV4 ? 4 : 6);
}

static int check_exit(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	if (gateway->to[family].mode == GATEWAY_ADDRESS)
		return check_next_hop(config, gateway, family, report);
	return gateway->to[family].mode == GATEWAY_LINK ? check_link(config, gateway, family, report) : 0;
}

/* A value that was refused may have been an address. */
static bool may_block(const struct config *config, const struct gateway *gateway, int family)
{
	const char *value = gateway->setting[config_address_key(family)].value;

	return gateway->to[family].mode == GATEWAY_BLOCK && !config->lines_refused &&
	       (!value || config_gateway_named(config, value) == &config->block);
}

/* One with a name that is not there but to deny is a slip: lines say block for that. */
static int check_families(const struct config *config, const struct gateway *gateway, struct report *report)
{
	if (gateway == config_default(config) || !may_block(config, gateway, IPV4) || !may_block(config, gateway, IPV6))
		return 0;
	return section_error(config, gateway, report, "leaves both families blocked; set address4 or address6, or write block in "
			     "place of %s for who is not to leave", gateway->name);
}

static int check_table(const struct config *config, const struct gateway *gateway, struct report *report)
{
	for (const struct gateway *other = config->gateway; other < gateway; other++)
		if (other->table == gateway->table)
			return gateway_error(config, gateway, report, KEY_TABLE, "is already the routing table of gateway %s; each "
					     "needs its own", other->name);
	return 0;
}

static int check_gateway(const struct config *config, const struct gateway *gateway, struct report *report)
{
	int result = check_families(config, gateway, report);

	for (int family = 0; family < FAMILIES; family++)
		if (check_exit(config, gateway, family, report) < 0 || check_mac(config, gateway, family, report) < 0)
			result = -1;
	if (gateway->interface[0] && interface_matches(&config->clients, gateway->interface))
		result = gateway_error(config, gateway, report, KEY_GATEWAY_INTERFACE, "is a tunnel interface of the clients "
				       "([clients] interface); the gateway must be elsewhere");
	return check_table(config, gateway, report) < 0 ? -1 : result;
}

/* Each has a value of its own in these bits. */
static int check_marks(const struct config *config, struct report *report)
{
	unsigned int most = config->mark_mask / (config->mark_mask & -config->mark_mask) - NO_GATEWAYS;

	if (config->gateways <= most)
		return 0;
	return config_error(config, report, KEY_MARK_MASK, "has values for %u gateways, and there are %u; take more bits", most,
			    config->gateways);
}

static unsigned int count_leading(const struct config *config, int family)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < config->gateways; i++)
		count += gateway_leads(&config->gateway[i], family);
	return count;
}

bool config_has_tree(const struct config *config, int family)
{
	return config->gateways > CONFIG_FLAT_GATEWAYS && count_leading(config, family) > CONFIG_FLAT_GATEWAYS;
}

uint32_t config_last_priority(const struct config *config, int family)
{
	return config->priority + (config_has_tree(config, family) ? CONFIG_TREE_SPAN : 1);
}

/* All of them come before the rule that looks up table main. */
static int check_priority(const struct config *config, struct report *report)
{
	for (int family = 0; family < FAMILIES; family++)
		if (config_last_priority(config, family) >= PRIORITY_MAIN)
			return config_error(config, report, KEY_PRIORITY, "must be a number from 2 to %d, since more than %d %s gateways "
					    "use the %d priorities after it too", PRIORITY_MAIN - 1 - CONFIG_TREE_SPAN, CONFIG_FLAT_GATEWAYS,
					    family_name(family), CONFIG_TREE_SPAN);
	return 0;
}

int gateways_check(const struct config *config, struct report *report)
{
	int result = check_priority(config, report);

	for (unsigned int i = 0; i < config->gateways; i++)
		if (check_gateway(config, &config->gateway[i], report) < 0)
			result = -1;
	return check_marks(config, report) < 0 ? -1 : result;
}

void gateways_free(struct config *config)
{
	for (unsigned int i = 1; i < config->gateways; i++) {
		for (int key = 0; key < CONFIG_KEYS; key++)
			free(config->gateway[i].setting[key].value);
		free(config->gateway[i].setting);
	}
	free(config->gateway);
}
