/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define BY_LINK "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = link\ninterface = wg0\n"
#define VALID "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n"

/* A configuration that must be refused with one error, which holds each fragment up to NULL. */
static void check_refused(const char *text, const char *const *fragments)
{
	struct report report = { 0 };
	struct config config;

	assert_int_equal(load_text(&config, text, &report), -1);
	assert_int_equal(report.status, EX_CONFIG);
	for (; *fragments; fragments++)
		assert_line(&report.errors, *fragments);
	if (report.errors.count != 1)
		fail_msg("another error: %s", report.errors.line[1]);
	config_free(&config);
	report_free(&report);
}

#define refused(text, ...) check_refused(text, (const char *const[]){ __VA_ARGS__, NULL })

/* Keys */

static void make_script(void)
{
	write_file("script", "#!/bin/sh\n");
	assert_int_equal(chmod("script", 0700), 0);
}

/* For each key two values that are valid and not its default; "@" is a path in the test's directory. */
static const struct {
	enum config_key key;
	const char *value, *other;
} key_cases[] = {
	{ KEY_SUBNET4, "10.30.0.0/16", "10.40.0.0/24" },
	{ KEY_SUBNET6, "fd30::/64", "fd40::/64" },
	{ KEY_CLIENT_INTERFACE, "tun0", "tun*" },
	{ KEY_OCSERV_CONF, "/etc/x.conf", "/etc/y.conf" },
	{ KEY_FLOWS, "no", "77" },
	{ KEY_ADDRESS4, "192.0.2.1", "block" },
	{ KEY_ADDRESS6, "direct", "block" },
	{ KEY_GATEWAY_INTERFACE, "eth1", "wg0" },
	{ KEY_MAC4, "02:00:00:00:00:02", "02-00-00-00-00-AB" },
	{ KEY_MAC6, "02:00:00:00:00:02", "fe:00:00:00:00:02" },
	{ KEY_TABLE, "200", "300" },
	{ KEY_PRIORITY, "2000", "3000" },
	{ KEY_MASQUERADE, "no", "off" },
	{ KEY_PORTS, "1024-65535", "40000-40000" },
	{ KEY_PROBE, "1.1.1.1, 9.9.9.9:53", "no" },
	{ KEY_PROBE_HTTP, "http://ifconfig.me/ip", "http://[2001:db8::80]:8080" },
	{ KEY_MARK_MASK, "0x00ff0000", "0x70000000" },
	{ KEY_FAST_PATH, "yes", "AUTO" },
	{ KEY_MAP_USERS, "/etc/users.map", "/etc/others.map" },
	{ KEY_MAP_GROUPS, "/etc/groups.map", "/etc/others.map" },
	{ KEY_MAP_VHOSTS, "/etc/vhosts.map", "/etc/others.map" },
	{ KEY_KILLSWITCH_TABLE, "other_gw", "third_gw" },
	{ KEY_BLOCKED, "drop", "DROP" },
	{ KEY_CLIENT_TO_CLIENT, "no", "0" },
	{ KEY_INBOUND, "any", "ANY" },
	{ KEY_DNS, "block", "any" },
	{ KEY_FORWARD_OTHERS, "no", "OFF" },
	{ KEY_SERVER, "services", "services" },
	{ KEY_SERVICES_PORTS, "tcp 443", "udp 5353, TCP 22" },
	{ KEY_REMOVE_AFTER_LAST, "yes", "on" },
	{ KEY_FORGET_FLOWS, "no", "false" },
	{ KEY_NEXT_SCRIPT, "@script", "@script" },
	{ KEY_STATE_DIR, "/run/x", "/run/y" },
	{ KEY_LOG_LEVEL, "error", "debug" },
	{ KEY_LOG_DRY_RUN, "yes", "1" },
};

static void add_value(struct text *text, const char *value)
{
	if (value[0] == '@')
		text_add(text, "%s/%s", directory_path(), value + 1);
	else
		text_add(text, "%s", value);
}

/* VALID without its own line of this key, and the key with this value last. */
static void add_file_with(struct text *file, enum config_key key, const char *value)
{
	struct key_description is;

	config_describe_key(key, &is);
	text_add(file, "[clients]\n%s", key == KEY_SUBNET4 ? "" : "subnet4 = 10.20.0.0/24\n");
	text_add(file, "[gateway]\n%s", key == KEY_ADDRESS4 ? "" : key != KEY_MAC6 ? "address4 = 172.28.0.2\n" :
		 "address4 = 172.28.0.2\naddress6 = fd28::2\n[clients]\nsubnet6 = fd20::/64\n");
	text_add(file, "[%s]\n%s%s = %s\n", is.section, key == KEY_SERVICES_PORTS ? "server = services\n" : "", is.name,
		 value);
}

/* The line of the key in that file. */
static unsigned int line_of(enum config_key key)
{
	return key == KEY_MAC6 ? 9 : key == KEY_SUBNET4 || key == KEY_ADDRESS4 ? 5 : key == KEY_SERVICES_PORTS ? 7 : 6;
}

static void every_key_has_a_case(void **state)
{
	(void)state;
	assert_int_equal(COUNT(key_cases), CONFIG_KEYS);
	for (int i = 0; i < CONFIG_KEYS; i++)
		assert_int_equal(key_cases[i].key, i);
}

static void every_key_is_documented(void **state)
{
	(void)state;
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		assert_non_null(key.section);
		assert_non_null(key.name);
		assert_in_range(strlen(key.help), 5, 120);
	}
}

static void keys_of_the_file_are_kept_with_their_line(void **state)
{
	(void)state;
	make_script();
	for (size_t i = 0; i < COUNT(key_cases); i++) {
		struct text value CLEANUP(text_free) = { 0 }, file CLEANUP(text_free) = { 0 };
		const struct setting *setting;
		struct config config;

		add_value(&value, key_cases[i].value);
		add_file_with(&file, key_cases[i].key, text_string(&value));
		load_valid(&config, text_string(&file));
		setting = &config.setting[key_cases[i].key];
		assert_string_equal(setting->value, text_string(&value));
		assert_int_equal(setting->origin, FROM_FILE);
		assert_int_equal(setting->line, line_of(key_cases[i].key));
		config_free(&config);
	}
}

static void keys_not_set_have_their_default(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, VALID);
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (i == KEY_SUBNET4 || i == KEY_ADDRESS4)
			continue;
		assert_int_equal(config.setting[i].origin, FROM_DEFAULT);
		if (key.fallback)
			assert_string_equal(config.setting[i].value, key.fallback);
		else
			assert_null(config.setting[i].value);
	}
	config_free(&config);
}

static void the_environment_wins_over_the_file(void **state)
{
	unsigned int variables = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(key_cases); i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct key_description key;
		struct config config;

		config_describe_key(key_cases[i].key, &key);
		if (!key.environment)
			continue;
		variables++;
		add_file_with(&file, key_cases[i].key, key_cases[i].value);
		setenv(key.environment, key_cases[i].other, 1);
		load_valid(&config, text_string(&file));
		assert_string_equal(config.setting[key_cases[i].key].value, key_cases[i].other);
		assert_int_equal(config.setting[key_cases[i].key].origin, FROM_ENVIRONMENT);
		config_free(&config);
		unsetenv(key.environment);
	}
	assert_int_equal(variables, 9);
}

static void an_empty_variable_is_unset(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(key_cases); i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct key_description key;
		struct config config;

		config_describe_key(key_cases[i].key, &key);
		if (!key.environment)
			continue;
		add_file_with(&file, key_cases[i].key, key_cases[i].value);
		setenv(key.environment, "", 1);
		load_valid(&config, text_string(&file));
		assert_string_equal(config.setting[key_cases[i].key].value, key_cases[i].value);
		assert_int_equal(config.setting[key_cases[i].key].origin, FROM_FILE);
		config_free(&config);
		unsetenv(key.environment);
	}
}

/* Each value that is lost may deny less than before. */
static void an_empty_value_is_refused(void **state)
{
	static const char *const values[] = { "", "   ", " ; a comment" };

	(void)state;
	for (int i = 0; i < CONFIG_KEYS; i++) {
		for (size_t j = 0; j < COUNT(values); j++) {
			struct text file CLEANUP(text_free) = { 0 }, said CLEANUP(text_free) = { 0 };
			struct key_description key;

			config_describe_key((enum config_key)i, &key);
			add_file_with(&file, KEY_LOG_LEVEL, "info");
			text_add(&said, "gateway.ini:8: [%s] %s is empty; write a value or delete the line", key.section, key.name);
			if (i == KEY_SUBNET4 || i == KEY_ADDRESS4 || i == KEY_LOG_LEVEL)
				continue;
			text_add(&file, "[%s]\n%s =%s\n", key.section, key.name, values[j]);
			refused(text_string(&file), text_string(&said));
		}
	}
	refused("[gateway]\naddress4 =\n", "gateway.ini:2: [gateway] address4 is empty");
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 =\naddress6 = direct\n",
		"gateway.ini:4: [gateway] address4 is empty");
	refused("[clients]\nsubnet4 =\n[gateway]\naddress4 = direct\n", "gateway.ini:2: [clients] subnet4 is empty");
}

static void defaults_are_parsed(void **state)
{
	struct config config;
	char text[IFNAMSIZ + 1];

	(void)state;
	load_valid(&config, VALID);
	assert_string_equal(interface_pattern_text(&config.clients, text), "vpns*");
	assert_string_equal(config.gateway[0].interface, "");
	assert_int_equal(config.gateway[0].table, 100);
	assert_int_equal(config.priority, 1000);
	assert_true(config.gateway[0].masquerade);
	assert_string_equal(config.killswitch_table, "ocserv_gw");
	assert_int_equal(config.blocked, BLOCKED_REJECT);
	assert_true(config.client_to_client);
	assert_int_equal(config.inbound, INBOUND_ESTABLISHED);
	assert_int_equal(config.dns, DNS_WARN);
	assert_true(config.forward_others);
	assert_false(config.remove_after_last);
	assert_true(config.forget_flows);
	assert_null(config.next_script);
	assert_string_equal(config.state_dir, "/run/ocserv-gateway");
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_false(config.log_dry_run);
	assert_true(config.file_read);
	config_free(&config);
}

static void values_are_parsed(void **state)
{
	struct config config;
	char text[PREFIX_TEXT];

	(void)state;
	load_valid(&config,
		   "[clients]\nsubnet4 = 10.20.0.0/24,10.21.0.0/16 192.168.9.0/24\nsubnet6 = fd20::/64\n"
		   "interface = tun+\n"
		   "[gateway]\naddress4 = 172.28.0.2\naddress6 = fe80::1\ninterface = eth0.7\ntable = 4711\n"
		   "priority = 77\nmasquerade = off\n"
		   "[killswitch]\ntable = a_1\nblocked = drop\nclient_to_client = FALSE\ninbound = any\ndns = any\n"
		   "forward_others = no\n"
		   "[session]\nremove_after_last = on\nforget_flows = no\nstate_dir = /run/x\n"
		   "[log]\nlevel = debug\ndry_run = 1\n");
	assert_int_equal(config.subnets[IPV4].count, 3);
	assert_string_equal(prefix_text(&config.subnets[IPV4].prefix[0], text), "10.20.0.0/24");
	assert_string_equal(prefix_text(&config.subnets[IPV4].prefix[2], text), "192.168.9.0/24");
	assert_int_equal(config.subnets[IPV6].count, 1);
	assert_string_equal(interface_pattern_text(&config.clients, text), "tun*");
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_ADDRESS);
	assert_string_equal(address_text(&config.gateway[0].to[IPV4].address, text), "172.28.0.2");
	assert_string_equal(address_text(&config.gateway[0].to[IPV6].address, text), "fe80::1");
	assert_string_equal(config.gateway[0].interface, "eth0.7");
	assert_int_equal(config.gateway[0].table, 4711);
	assert_int_equal(config.priority, 77);
	assert_false(config.gateway[0].masquerade);
	assert_string_equal(config.killswitch_table, "a_1");
	assert_int_equal(config.blocked, BLOCKED_DROP);
	assert_false(config.client_to_client);
	assert_int_equal(config.inbound, INBOUND_ANY);
	assert_int_equal(config.dns, DNS_ANY);
	assert_false(config.forward_others);
	assert_true(config.remove_after_last);
	assert_false(config.forget_flows);
	assert_string_equal(config.state_dir, "/run/x");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_true(config.log_dry_run);
	config_free(&config);
}

static void booleans_have_eight_words(void **state)
{
	static const char *const words[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" },
						{ "NO", "Yes" } };

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		for (int value = 0; value < 2; value++) {
			struct text file CLEANUP(text_free) = { 0 };
			struct config config;

			add_file_with(&file, KEY_MASQUERADE, words[i][value]);
			load_valid(&config, text_string(&file));
			assert_int_equal(config.gateway[0].masquerade, value);
			config_free(&config);
		}
	}
}

/* Families */

static void one_family_alone_blocks_the_other(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, VALID);
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_ADDRESS);
	assert_int_equal(config.gateway[0].to[IPV6].mode, GATEWAY_BLOCK);
	assert_false(config_is_plain(&config));
	assert_true(config_covers(&config, IPV4));
	assert_true(config_covers(&config, IPV6));
	config_free(&config);

	load_valid(&config, "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway]\naddress6 = fd28::2\n");
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_BLOCK);
	assert_int_equal(config.gateway[0].to[IPV6].mode, GATEWAY_ADDRESS);
	config_free(&config);
}

/* Nobody has asked for a gateway. */
static void nothing_said_is_plain(void **state)
{
	static const char *const files[] = {
		"; nothing\n", "# nothing", "[clients]\n[gateway]\n", "[log]\nlevel = debug\n",
		"[session]\nstate_dir = /run/x\n[log]\ndry_run = yes\n",
	};
	static const char *const variables[] = { "VPN_SUBNET", "IPV6_SUBNET", "VPN_IF" };
	static const char *const values[] = { "10.20.0.0/24", "fd20::/64", "vpns+" };

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct config config;

		load_valid(&config, files[i]);
		assert_true(config_is_plain(&config));
		assert_false(config_covers(&config, IPV4));
		assert_false(config_covers(&config, IPV6));
		config_free(&config);
	}
	for (size_t i = 0; i < COUNT(variables); i++) {
		struct config config;

		setenv(variables[i], i == 2 ? "" : values[i], 1);
		load_valid(&config, "; nothing\n");
		assert_true(config_is_plain(&config));
		config_free(&config);
		setenv(variables[i], values[i], 1);
	}
}

#define OR_DIRECT "write [gateway] address4 = ADDRESS, or direct for both"

static void a_gateway_that_is_missing_is_refused(void **state)
{
	(void)state;
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n", "gateway.ini:2: asks for a gateway, but neither address4 nor address6",
		OR_DIRECT);
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (i == KEY_ADDRESS4 || i == KEY_ADDRESS6 || !strcmp(key.section, "session") || !strcmp(key.section, "log") ||
		    !strcmp(key.section, "maps"))
			continue;
		text_add(&file, "[log]\nlevel = info\n[%s]\n%s = %s\n", key.section, key.name, key_cases[i].value);
		refused(text_string(&file), "gateway.ini:4: asks for a gateway", OR_DIRECT);
		/* A variable that an image sets for itself must not hide it. */
		setenv("VPN_SUBNET", "10.20.0.0/24", 1);
		refused(text_string(&file), "gateway.ini:4: asks for a gateway", OR_DIRECT);
		unsetenv("VPN_SUBNET");
	}
}

static void a_variable_that_asks_for_a_gateway_is_not_plain(void **state)
{
	static const char *const names[] = {
		"VPN_GATEWAY", "VPN_GATEWAY6", "WAN_IF", "VPN_GATEWAY_TABLE", "VPN_GATEWAY_RULE_PRIO", "VPN_GATEWAYS",
		"VPN_GATEWAYS6", "VPN_GATEWAYS_FILE", "VPN_USER_GATEWAY", "VPN_USER_GATEWAY_FILE",
	};
	static const struct { const char *name, *said; } strange[] = {
		{ "VPN_GATWAY", "environment: VPN_GATWAY: is not read; perhaps it is a misspelt VPN_GATEWAY; no gateway is configured: " },
		{ "vpn_gateway6", "environment: vpn_gateway6: is not read; perhaps it is a misspelt VPN_GATEWAY6" },
		{ "OCSERV_GATEWAY_CONFI", "a misspelt OCSERV_GATEWAY_CONFIG" },
		{ "VPN_GATEWAYS_BYPASS", "environment: VPN_GATEWAYS_BYPASS: is not understood by this program; no gateway is configured" },
		{ "VPN_BYPASS_TARGETS", "environment: VPN_BYPASS_TARGETS: is not understood by this program" },
	};

	(void)state;
	setenv("VPN_SUBNET", "10.20.0.0/24", 1);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct text said CLEANUP(text_free) = { 0 };

		setenv(names[i], "", 1);
		text_add(&said, "environment: %s=: is empty, and no gateway is configured; ", names[i]);
		refused("; nothing\n", text_string(&said), OR_DIRECT);
		unsetenv(names[i]);
	}
	setenv("WAN_IF", "eth0", 1);
	refused("[log]\nlevel = info\n", "environment: WAN_IF=eth0: asks for a gateway, but neither", OR_DIRECT);
	unsetenv("WAN_IF");
	for (size_t i = 0; i < COUNT(strange); i++) {
		for (int empty = 0; empty < 2; empty++) {
			setenv(strange[i].name, empty ? "" : "172.28.0.2", 1);
			refused("; nothing\n", strange[i].said, OR_DIRECT);
		}
		unsetenv(strange[i].name);
	}
}

/* Beside a gateway, or about the clients alone, it is a warning. */
static void a_variable_that_is_not_read_is_told(void **state)
{
	static const struct { const char *name, *file, *said; } cases[] = {
		{ "VPN_GATWAY", VALID, "environment: VPN_GATWAY: is not read; perhaps it is a misspelt VPN_GATEWAY; unset it if" },
		{ "VPN_USER_BYPASS", VALID, "environment: VPN_USER_BYPASS: is not understood by this program; unset it if" },
		{ "VPN_SUBNETS", VALID, "a misspelt VPN_SUBNET" },
		{ "VPN_SUBNETS", "; nothing\n", "a misspelt VPN_SUBNET" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct report report = { 0 };
		struct config config;

		setenv(cases[i].name, "x", 1);
		assert_int_equal(load_text(&config, cases[i].file, &report), 0);
		assert_int_equal(report.warnings.count, 1);
		assert_line(&report.warnings, cases[i].said);
		unsetenv(cases[i].name);
		config_free(&config);
		report_free(&report);
	}
}

static void a_direct_family_is_not_covered(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, "[clients]\nsubnet6 = fd20::/64\n[gateway]\naddress4 = direct\naddress6 = fd28::2\n");
	assert_false(config_covers(&config, IPV4));
	assert_true(config_covers(&config, IPV6));
	assert_false(config_is_plain(&config));
	config_free(&config);

	load_valid(&config, "[gateway]\naddress4 = Direct\naddress6 = DIRECT\n");
	assert_false(config_is_plain(&config));
	assert_false(config_covers(&config, IPV4));
	assert_false(config_covers(&config, IPV6));
	config_free(&config);
}

static void a_covered_family_needs_its_subnet(void **state)
{
	(void)state;
	refused("[gateway]\naddress4 = 172.28.0.2\n", "gateway.ini: [clients] subnet4 is not set", "write the",
		"IPv4 subnet");
	refused("[gateway]\naddress4 = block\n", "[clients] subnet4 is not set");
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress6 = fd28::2\n", "[clients] subnet6 is not set",
		"write the", "IPv6 subnet");
	refused("[clients]\nsubnet6 = fd20::/64\n[gateway]\naddress6 = fd28::2\n", "[clients] subnet4 is not set");
}

static void subnet6_may_be_unset_where_ipv6_has_no_gateway(void **state)
{
	static const char *const modes[] = { "", "address6 = block\n", "address6 = direct\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct config config;

		text_add(&file, VALID "%s", modes[i]);
		load_valid(&config, text_string(&file));
		assert_int_equal(config.subnets[IPV6].count, 0);
		config_free(&config);
	}
}

static void a_gateway_is_no_client(void **state)
{
	(void)state;
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 10.20.0.2\n",
		"gateway.ini:4: [gateway] address4 = 10.20.0.2: is inside the client subnet 10.20.0.0/24",
		"must be another host");
	refused(VALID "address6 = fd20::2\n[clients]\nsubnet6 = fd30::/64, fd20::/64\n",
		"address6 = fd20::2: is inside the client subnet fd20::/64");
	setenv("VPN_GATEWAY", "10.20.0.2", 1);
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n",
		"environment: VPN_GATEWAY=10.20.0.2: is inside the client subnet 10.20.0.0/24");
}

static void a_link_local_gateway_needs_an_interface(void **state)
{
	static const char file[] = VALID "address6 = fe80::1\n[clients]\nsubnet6 = fd20::/64\n";
	struct config config;

	(void)state;
	refused(file, "gateway.ini:5: [gateway] address6 = fe80::1: is link-local", "set [gateway] interface");
	setenv("WAN_IF", "eth0", 1);
	load_valid(&config, file);
	config_free(&config);
}

static void the_gateways_interface_is_no_tunnel(void **state)
{
	(void)state;
	refused(VALID "interface = vpns7\n", "gateway.ini:5: [gateway] interface = vpns7: is a tunnel interface",
		"[clients] interface");
}

static void a_hardware_address_needs_a_gateway(void **state)
{
	(void)state;
	refused(VALID "mac6 = 02:00:00:00:00:02\n", "gateway.ini:5: [gateway] mac6 = 02:00:00:00:00:02: there is no IPv6 gateway",
		"set [gateway] address6");
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress6 = block\nmac4 = 02:00:00:00:00:02\n",
		"[gateway] mac4 = 02:00:00:00:00:02: there is no IPv4 gateway");
	refused(BY_LINK "mac4 = 02:00:00:00:00:02\n", "gateway.ini:6: [gateway] mac4 = 02:00:00:00:00:02: address4 = link has no "
		"next hop", "remove this");
}

static void a_link_needs_its_interface(void **state)
{
	struct config config;

	(void)state;
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = link\n", "gateway.ini:4: [gateway] address4 = link: needs "
		"the interface that leads to it", "write [gateway] interface = NAME");
	refused(VALID "address6 = link\n[clients]\nsubnet6 = fd20::/64\n", "gateway.ini:5: [gateway] address6 = link: needs",
		"write [gateway] interface = NAME");
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = link\ninterface = lo\n",
		"gateway.ini:5: [gateway] interface = lo: leads only to this host", "name the one via which clients are to leave");
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = link\ninterface = vpns3\n",
		"gateway.ini:5: [gateway] interface = vpns3: is a tunnel interface", "[clients] interface");
	refused("[gateway]\naddress4 = link\ninterface = wg0\n", "[clients] subnet4 is not set: write the IPv4 subnet of the clients", "as in ocserv.conf");
	load_valid(&config, VALID);
	assert_true(config_leads(&config, IPV4) && !config_leads(&config, IPV6) && config_blocks(&config, IPV6));
	config_free(&config);
	setenv("VPN_GATEWAY", "link", 1);
	setenv("WAN_IF", "wg0", 1);
	setenv("VPN_SUBNET", "10.20.0.0/24", 1);
	load_valid(&config, "[log]\nlevel = info\n");
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_LINK);
	assert_int_equal(config.gateway[0].to[IPV4].address.family, AF_UNSPEC);
	assert_string_equal(config.gateway[0].interface, "wg0");
	assert_true(config_leads(&config, IPV4) && config_masquerades(&config, IPV4) && config_covers(&config, IPV4));
	config_free(&config);
}

/* A next hop in the file, a link in the environment. */
static void a_link_leaves_nothing_of_an_address(void **state)
{
	struct config config;

	(void)state;
	setenv("VPN_GATEWAY", "link", 1);
	load_valid(&config, VALID "interface = wg0\n");
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_LINK);
	assert_int_equal(config.gateway[0].to[IPV4].address.family, AF_UNSPEC);
	config_free(&config);
}

/* Values */

static void wrong_values_are_named_with_the_remedy(void **state)
{
	static const struct { enum config_key key; const char *value, *said; } cases[] = {
		{ KEY_SUBNET4, "10.20.0.0", "'10.20.0.0' is not an IPv4 subnet; write it like 10.20.0.0/24" },
		{ KEY_SUBNET4, "10.20.0.0/33", "'10.20.0.0/33' is not an IPv4 subnet; write it like 10.20.0.0/24" },
		{ KEY_SUBNET4, "10.20.0.0/24/24", "'10.20.0.0/24/24' is not an IPv4 subnet" },
		{ KEY_SUBNET4, "10.20.0.0/255.0.255.0", "'10.20.0.0/255.0.255.0' is not an IPv4 subnet" },
		{ KEY_SUBNET4, "10.20.0.0/0.0.0.255", "'10.20.0.0/0.0.0.255' is not an IPv4 subnet" },
		{ KEY_SUBNET4, "10.20.0.7/255.255.255.0", "has host bits set; the subnet is 10.20.0.0/24" },
		{ KEY_SUBNET6, "fd20::/255.255.255.0", "'fd20::/255.255.255.0' is not an IPv6 subnet" },
		{ KEY_SUBNET4, "office", "'office' is not an IPv4 subnet" },
		{ KEY_SUBNET4, "10.20.0.1/24", "'10.20.0.1/24' has host bits set; the subnet is 10.20.0.0/24" },
		{ KEY_SUBNET4, "fd20::/64", "'fd20::/64' is not IPv4; it belongs in subnet6" },
		{ KEY_SUBNET4, "0.0.0.0/0", "'0.0.0.0/0' can't be a subnet of clients; write it like 10.20.0.0/24" },
		{ KEY_SUBNET4, "127.0.0.0/8", "'127.0.0.0/8' can't be a subnet of clients" },
		{ KEY_SUBNET4, "224.0.0.0/4", "'224.0.0.0/4' can't be a subnet of clients" },
		{ KEY_SUBNET4, "10.20.0.0/24, 10.20.0.0/25", "'10.20.0.0/25' overlaps 10.20.0.0/24; keep one of them" },
		{ KEY_SUBNET4, "10.20.0.0/25, 10.20.0.0/24", "'10.20.0.0/24' overlaps 10.20.0.0/25; keep one of them" },
		{ KEY_SUBNET4, "10.20.0.0/24, x", "'x' is not an IPv4 subnet" },
		{ KEY_SUBNET4, "10.20.0.0/24, fd20::/64", "'fd20::/64' is not IPv4; it belongs in subnet6" },
		{ KEY_SUBNET4, "10.20.0.0/24, 10.30.0.1/24", "'10.30.0.1/24' has host bits set" },
		{ KEY_SUBNET4, "10.20.0.0/24, 127.0.0.0/8", "'127.0.0.0/8' can't be a subnet of clients" },
		{ KEY_SUBNET4, ",", "names no subnet" },
		{ KEY_SUBNET6, "fd20::1/64", "'fd20::1/64' has host bits set; the subnet is fd20::/64" },
		{ KEY_SUBNET6, "10.20.0.0/24", "'10.20.0.0/24' is not IPv6; it belongs in subnet4" },
		{ KEY_SUBNET6, "::/0", "'::/0' can't be a subnet of clients; write it like fd20::/64" },
		{ KEY_SUBNET6, "ff00::/8", "'ff00::/8' can't be a subnet of clients" },
		{ KEY_SUBNET6, "fd20::/129", "'fd20::/129' is not an IPv6 subnet" },
		{ KEY_PROBE, ",", "names no address" },
		{ KEY_PROBE, "1.1.1.1, gateway", "must be neighbour, no, or addresses like" },
		{ KEY_PROBE, "no, 1.1.1.1", "must be neighbour, no, or addresses like" },
		{ KEY_PROBE, "127.0.0.1", "must be neighbour, no, or addresses like" },
		{ KEY_PROBE, "1.1.1.1:0", "has no port after its :" },
		{ KEY_PROBE, "1.1.1.1:65536", "has no port after its :" },
		{ KEY_PROBE, "[2606:4700::1111]:x", "has no port after its :" },
		{ KEY_PROBE, "[2606:4700::1111", "must be neighbour, no, or addresses like" },
		{ KEY_PROBE, "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9", "more than 8 addresses" },
		{ KEY_PROBE_HTTP, "ifconfig.me", "must begin with http://" },
		{ KEY_PROBE_HTTP, "https://ifconfig.me", "must begin with http://" },
		{ KEY_PROBE_HTTP, "http://", "must be like http://ifconfig.me/ip" },
		{ KEY_PROBE_HTTP, "http:///ip", "must be like http://ifconfig.me/ip" },
		{ KEY_PROBE_HTTP, "http://a b/", "must be like http://ifconfig.me/ip" },
		{ KEY_PROBE_HTTP, "http://a:", "has no port after its :" },
		{ KEY_PROBE_HTTP, "http://a:x/", "has no port after its :" },
		{ KEY_PROBE_HTTP, "http://a:123456789/", "must be like http://ifconfig.me/ip" },
		{ KEY_PROBE_HTTP, "http://[fd00::1/", "has a [ without a ]" },
		{ KEY_PROBE_HTTP, "http://[fd00::1]x/", "must be like http://ifconfig.me/ip" },
		{ KEY_CLIENT_INTERFACE, "vpns0123456789012*", "1 to 15 characters" },
		{ KEY_CLIENT_INTERFACE, "*", "must be an interface name" },
		{ KEY_CLIENT_INTERFACE, "vp*ns", "must be an interface name" },
		{ KEY_CLIENT_INTERFACE, "vpns 0", "must be an interface name" },
		{ KEY_CLIENT_INTERFACE, "vpns'0", "must be an interface name" },
		{ KEY_ADDRESS4, "gateway.example", "must be an IPv4 address, link, block or direct" },
		{ KEY_ADDRESS4, "172.28.0.2/24", "must be an IPv4 address, link, block or direct" },
		{ KEY_ADDRESS4, "fd28::2", "is not IPv4; it belongs in address6" },
		{ KEY_ADDRESS4, "0.0.0.0", "can't be the address of a gateway" },
		{ KEY_ADDRESS4, "127.0.0.1", "can't be the address of a gateway" },
		{ KEY_ADDRESS4, "255.255.255.255", "can't be the address of a gateway" },
		{ KEY_ADDRESS6, "172.28.0.3", "is not IPv6; it belongs in address4" },
		{ KEY_ADDRESS6, "fe80::1%eth0", "must be an IPv6 address, link, block or direct" },
		{ KEY_ADDRESS6, "::1", "can't be the address of a gateway" },
		{ KEY_ADDRESS6, "ff02::1", "can't be the address of a gateway" },
		{ KEY_GATEWAY_INTERFACE, "eth0123456789012", "1 to 15 characters" },
		{ KEY_GATEWAY_INTERFACE, "eth*", "must be an interface name" },
		{ KEY_GATEWAY_INTERFACE, "-x", "must be an interface name" },
		{ KEY_GATEWAY_INTERFACE, "..", "must be an interface name" },
		{ KEY_MAC4, "gateway", "must be the hardware address of one machine, like 02:00:00:00:00:02" },
		{ KEY_MAC6, "ff:ff:ff:ff:ff:ff", "must be the hardware address of one machine" },
		{ KEY_TABLE, "0", "must be a number from 1 to 4294967295 except 253, 254 and 255" },
		{ KEY_TABLE, "253", "must be a number" },
		{ KEY_TABLE, "254", "must be a number" },
		{ KEY_TABLE, "255", "must be a number" },
		{ KEY_TABLE, "4294967296", "must be a number" },
		{ KEY_TABLE, "main", "must be a number" },
		{ KEY_PRIORITY, "1", "must be a number from 2 to 32764" },
		{ KEY_PRIORITY, "32765", "must be a number from 2 to 32764" },
		{ KEY_PRIORITY, "-5", "must be a number from 2 to 32764" },
		{ KEY_MASQUERADE, "maybe", "must be yes or no" },
		{ KEY_KILLSWITCH_TABLE, "ocserv-gw", "letters, digits and _" },
		{ KEY_KILLSWITCH_TABLE, "1_gw", "begin with a letter" },
		{ KEY_KILLSWITCH_TABLE, "filter", "contain a _" },
		{ KEY_KILLSWITCH_TABLE, "a_b { }", "letters, digits and _" },
		{ KEY_KILLSWITCH_TABLE, "a_23456789012345678901234567890123456789012345678901234567890123",
		  "1 to 63 letters" },
		{ KEY_BLOCKED, "accept", "must be one of reject, drop" },
		{ KEY_CLIENT_TO_CLIENT, "2", "must be yes or no" },
		{ KEY_INBOUND, "all", "must be one of established, any" },
		{ KEY_DNS, "no", "must be one of warn, block, any" },
		{ KEY_FORWARD_OTHERS, "block", "must be yes or no" },
		{ KEY_REMOVE_AFTER_LAST, "jes", "must be yes or no" },
		{ KEY_FORGET_FLOWS, "jes", "must be yes or no" },
		{ KEY_NEXT_SCRIPT, "hook", "must be an absolute path, beginning with /" },
		{ KEY_NEXT_SCRIPT, "/nonexistent/hook", "No such file or directory" },
		{ KEY_NEXT_SCRIPT, "/tmp", "is not an executable file" },
		{ KEY_STATE_DIR, "run", "must be an absolute path, beginning with /" },
		{ KEY_LOG_LEVEL, "loud", "must be one of error, warning, info, debug" },
		{ KEY_LOG_DRY_RUN, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text file CLEANUP(text_free) = { 0 }, origin CLEANUP(text_free) = { 0 };
		struct key_description key;

		if (!cases[i].said)
			continue;
		config_describe_key(cases[i].key, &key);
		add_file_with(&file, cases[i].key, cases[i].value);
		text_add(&origin, "gateway.ini:%u: [%s] %s = %s: ",
			 line_of(cases[i].key), key.section, key.name, cases[i].value);
		refused(text_string(&file), text_string(&origin), cases[i].said);
	}
}

static void what_other_files_have_around_a_value_is_named_with_how_to_write_it(void **state)
{
	static const struct { enum config_key key; const char *value, *said; } cases[] = {
		{ KEY_SUBNET4, "\"10.20.0.0/24\"", "quotes are taken as part of the value; write subnet4 = 10.20.0.0/24" },
		{ KEY_SUBNET4, "'10.20.0.0/24'", "quotes are taken as part of the value; write subnet4 = 10.20.0.0/24" },
		{ KEY_SUBNET4, "\"10.20.0.0/24", "; write subnet4 = 10.20.0.0/24" },
		{ KEY_SUBNET4, "10.20.0.0/24, \"10.21.0.0/24\"", "; write subnet4 = 10.20.0.0/24, 10.21.0.0/24" },
		{ KEY_SUBNET4, "\"\"", "; write subnet4 = VALUE" },
		{ KEY_SUBNET4, "10.20.0.0/24 # ours", "after a value, # starts no comment but is part of the value; "
						      "write subnet4 = 10.20.0.0/24, and the comment on a line of its own" },
		{ KEY_SUBNET4, "\"10.20.0.0/24\"\t#", "; write subnet4 = 10.20.0.0/24, and the comment" },
		{ KEY_SUBNET4, "# ours", "; write subnet4 = VALUE, and the comment on a line of its own" },
		{ KEY_SUBNET4, "auto # ours", "; write subnet4 = auto, and the comment on a line of its own" },
		{ KEY_CLIENT_INTERFACE, "\"vpns*\"", "; write interface = vpns*" },
		{ KEY_STATE_DIR, "/run/a # here", "; write state_dir = /run/a, and the comment" },
		{ KEY_STATE_DIR, "\"/run/a\"", "; write state_dir = /run/a" },
		{ KEY_DNS, "block # all", "; write dns = block, and the comment" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text file CLEANUP(text_free) = { 0 };

		add_file_with(&file, cases[i].key, cases[i].value);
		refused(text_string(&file), cases[i].value, cases[i].said);
	}
	setenv("VPN_SUBNET", "\"10.20.0.0/24\"", 1);
	refused(VALID, "environment: VPN_SUBNET=\"10.20.0.0/24\": quotes are taken as part of the value; write VPN_SUBNET=10.20.0.0/24");
	unsetenv("VPN_SUBNET");
}

/* A # or a quote in the middle of a word is of the word. */
static void a_path_may_hold_what_begins_a_comment_elsewhere(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, VALID "[session]\nstate_dir = /run/a#b'c\n");
	assert_string_equal(config.state_dir, "/run/a#b'c");
	config_free(&config);
}

static void a_subnet_may_have_a_netmask_as_in_ocserv_conf(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, "[clients]\nsubnet4 = 10.20.0.0/255.255.255.0, 10.21.4.0/22 10.22.0.1/255.255.255.255\n"
			    "[gateway]\naddress4 = 172.28.0.2\n");
	assert_int_equal(config.subnets[IPV4].count, 3);
	assert_string_equal(config.subnets[IPV4].text[0], "10.20.0.0/24");
	assert_string_equal(config.subnets[IPV4].text[2], "10.22.0.1/32");
	config_free(&config);
}

static void wrong_variables_are_named_with_the_remedy(void **state)
{
	static const struct { const char *name, *value, *said; } cases[] = {
		{ "VPN_SUBNET", "10.20.0.1/24", "environment: VPN_SUBNET=10.20.0.1/24: '10.20.0.1/24' has host bits" },
		{ "VPN_IF", "a/b", "environment: VPN_IF=a/b: must be an interface name" },
		{ "VPN_GATEWAY", "vpn", "environment: VPN_GATEWAY=vpn: must be an IPv4 address, link, block or direct" },
		{ "VPN_GATEWAY6", "vpn", "environment: VPN_GATEWAY6=vpn: must be an IPv6 address, link, block or direct" },
		{ "VPN_GATEWAY_TABLE", "main", "environment: VPN_GATEWAY_TABLE=main: must be a number" },
		{ "VPN_GATEWAY_RULE_PRIO", "1", "environment: VPN_GATEWAY_RULE_PRIO=1: must be a number from 2 to" },
		{ "WAN_IF", "eth 0", "environment: WAN_IF=eth 0: must be an interface name" },
		{ "IPV6_SUBNET", "x", "environment: IPV6_SUBNET=x: 'x' is not an IPv6 subnet" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		setenv(cases[i].name, cases[i].value, 1);
		refused(VALID, cases[i].said);
		unsetenv(cases[i].name);
	}
}

static void an_endless_value_leaves_room_for_the_reason(void **state)
{
	char value[100000];

	(void)state;
	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	setenv("VPN_SUBNET", value, 1);
	refused(VALID, "environment: VPN_SUBNET=xxxx", "is not an IPv4 subnet; write it like 10.20.0.0/24");
	setenv("VPN_SUBNET", "10.20.0.0/24", 1);
	setenv("VPN_GATEWAY", value, 1);
	refused(VALID, "environment: VPN_GATEWAY=xxxx", "must be an IPv4 address, link, block or direct");
}

static void numbers_reach_to_their_limits(void **state)
{
	static const struct { enum config_key key; const char *value; unsigned int number; } cases[] = {
		{ KEY_TABLE, "1", 1 }, { KEY_TABLE, "252", 252 }, { KEY_TABLE, "256", 256 },
		{ KEY_TABLE, "4294967295", 4294967295 }, { KEY_PRIORITY, "2", 2 }, { KEY_PRIORITY, "32764", 32764 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct config config;

		add_file_with(&file, cases[i].key, cases[i].value);
		load_valid(&config, text_string(&file));
		assert_int_equal(cases[i].key == KEY_TABLE ? config.gateway[0].table : config.priority, cases[i].number);
		config_free(&config);
	}
}

static void names_reach_to_their_limits(void **state)
{
	struct config config;
	char text[IFNAMSIZ + 1];

	(void)state;
	load_valid(&config, VALID "interface = eth012345678901\n[clients]\ninterface = vpns01234567890*\n"
		   "[killswitch]\ntable = a_2345678901234567890123456789012345678901234567890123456789012\n");
	assert_string_equal(config.gateway[0].interface, "eth012345678901");
	assert_string_equal(interface_pattern_text(&config.clients, text), "vpns01234567890*");
	assert_int_equal(strlen(config.killswitch_table), 63);
	config_free(&config);
}

static void add_subnets(struct text *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		text_add(list, "%s10.%u.0.0/16", i ? ", " : "", i);
}

static void subnets_may_be_many(void **state)
{
	struct text list CLEANUP(text_free) = { 0 };
	struct config config;

	(void)state;
	add_subnets(&list, 256);
	setenv("VPN_SUBNET", text_string(&list), 1);
	load_valid(&config, VALID);
	assert_int_equal(config.subnets[IPV4].count, 256);
	assert_string_equal(config.subnets[IPV4].text[255], "10.255.0.0/16");
	config_free(&config);
}

static void every_wrong_subnet_of_a_list_is_named(void **state)
{
	(void)state;
	refused("[clients]\nsubnet4 = 10.20.0.1/24, 10.30.0.0/24, x, fd20::/64\n[gateway]\naddress4 = block\n",
		"'10.20.0.1/24' has host bits set", "'x' is not an IPv4 subnet",
		"'fd20::/64' is not IPv4; it belongs in subnet6");
}

static void a_script_that_others_can_write_is_refused(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };

	(void)state;
	make_script();
	text_add(&file, VALID "[session]\nnext_script = %s/script\n", directory_path());
	assert_int_equal(chmod("script", 0600), 0);
	refused(text_string(&file), "is not an executable file; chmod +x it");
	assert_int_equal(chmod("script", 0707), 0);
	refused(text_string(&file), "others can write to it (mode 0707); chmod go-w it");
	if (geteuid() == 0) {
		assert_int_equal(chmod("script", 0770), 0);
		assert_int_equal(chown("script", 0, 4711), 0);
		refused(text_string(&file), "others can write to it (mode 0770); chmod go-w it");
		assert_int_equal(chmod("script", 0700), 0);
		assert_int_equal(chown("script", 4711, 0), 0);
		refused(text_string(&file), "belongs to user 4711; chown root it");
		assert_int_equal(chown("script", 0, 0), 0);
	}
	assert_int_equal(chmod("script", 0700), 0);
	assert_int_equal(chmod(".", 0777), 0);
	refused(text_string(&file), "next_script = ", ", a directory that others can write to (user ");
}

/* Lines of the file */

static void all_errors_are_reported_at_once(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	setenv("VPN_GATEWAY_TABLE", "main", 1);
	assert_int_equal(load_text(&config,
				   "[clients]\nsubnet4 = 10.20.0.1/24\nsubnet = 10.0.0.0/8\n"
				   "[gatewy]\naddress4 = 172.28.0.2\n"
				   "[gateway]\npriority = 0\nnonsense\npriority = 5\n"
				   "[log]\nlevel = loud\n",
				   &report), -1);
	assert_line(&report.errors, "gateway.ini:2: [clients] subnet4 = 10.20.0.1/24: '10.20.0.1/24' has host bits");
	assert_line(&report.errors, "gateway.ini:3: unknown key 'subnet' in [clients]");
	assert_line(&report.errors, "gateway.ini:5: 'address4' is in the unknown section [gatewy]");
	assert_line(&report.errors, "gateway.ini:7: [gateway] priority = 0: must be a number from 2 to 32764");
	assert_line(&report.errors, "gateway.ini:8: is neither [section] nor key = value");
	assert_line(&report.errors, "gateway.ini:9: [gateway] priority is already set in line 7");
	assert_line(&report.errors, "gateway.ini:11: [log] level = loud: must be one of");
	assert_line(&report.errors, "environment: VPN_GATEWAY_TABLE=main: must be a number");
	assert_int_equal(report.errors.count, 8);
	config_free(&config);
	report_free(&report);
}

static void errors_between_keys_come_with_the_others(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	assert_int_equal(load_text(&config, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 10.20.0.2\n"
				   "priority = 0\n", &report), -1);
	assert_line(&report.errors, "is inside the client subnet");
	assert_line(&report.errors, "priority = 0: must be a number");
	config_free(&config);
	report_free(&report);
}

static void the_nearest_key_is_proposed(void **state)
{
	static const struct { const char *line, *said; } cases[] = {
		{ "[gateway]\nadress4 = 172.28.0.2\n",
		  "unknown key 'adress4' in [gateway]; the nearest is address4 in [gateway]" },
		{ "[gateway]\nAddress6 = block\n", "the nearest is address6 in [gateway]" },
		{ "[gateway]\nblocked = drop\n", "the nearest is blocked in [killswitch]" },
		{ "[killswitch]\ninbund = any\n", "the nearest is inbound in [killswitch]" },
		{ "[clients]\ninterfaces = vpns*\n", "the nearest is interface in [clients]" },
		{ "[gateway]\ninterfaces = eth0\n", "the nearest is interface in [gateway]" },
		{ "[kilswitch]\ntable = a_b\n",
		  "'table' is in the unknown section [kilswitch]; the nearest is [killswitch]" },
		{ "[Gateway]\ntable = 7\n", "is in the unknown section [Gateway]; the nearest is [gateway]" },
		{ "[ log ]\nlevel = info\n", "is in the unknown section [ log ]; the nearest is [log]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		refused(cases[i].line, "gateway.ini:2: ", cases[i].said);
}

static void an_endless_key_is_cut_in_the_message(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };

	(void)state;
	text_add(&file, "%s", VALID);
	for (int i = 0; i < 18; i++)
		text_add(&file, "address4__");
	text_add(&file, " = x\n");
	refused(text_string(&file), "gateway.ini:5: unknown key 'address4__address4__", "the nearest is ");
}

static void a_key_before_any_section_is_refused(void **state)
{
	(void)state;
	refused("subnet4 = 10.20.0.0/24\n", "gateway.ini:1: 'subnet4' is before any [section]",
		"subnet4 in [clients]");
}

static void a_key_stands_once(void **state)
{
	(void)state;
	refused(VALID "address4 = 172.28.0.3\n", "gateway.ini:5: [gateway] address4 is already set in line 4",
		"keep one of them");
	refused(VALID "[clients]\nsubnet4 = 10.20.0.0/24\n",
		"gateway.ini:6: [clients] subnet4 is already set in line 2");
	refused(VALID "address6 = block\naddress6 = direct\n", "gateway.ini:6: [gateway] address6 is already set in line 5");
	refused(VALID "address6 = block\naddress6 =\n", "gateway.ini:6: [gateway] address6 is already set in line 5");
}

static void a_section_line_holds_nothing_else(void **state)
{
	(void)state;
	refused("[clients]\nsubnet4 = 10.20.0.0/24\n[gateway] address4 = 172.28.0.2\n", "gateway.ini:3: ",
		"after the ]");
	refused(VALID "[log]x\n", "gateway.ini:5: ", "after the ]");
	refused(VALID "[log\n", "gateway.ini:5: the section has no closing ]");
	refused(VALID "[log ; ]\n", "gateway.ini:5: the section has no closing ]");
}

static void what_is_no_pair_is_refused(void **state)
{
	static const char *const lines[] = {
		"address6", "address6 block", "address6: block", "address6 ;= block", "block ; = address6",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct text file CLEANUP(text_free) = { 0 };

		text_add(&file, VALID "%s\n", lines[i]);
		refused(text_string(&file), "gateway.ini:5: ");
	}
}

/* A line of the configuration with so many bytes, which are a list of subnets and blanks. */
static void add_long_line(struct text *file, const char *key, const char *last, size_t length)
{
	size_t blanks = length - strlen(key) - strlen(" = 10.21.0.0/24,") - strlen(last);

	text_add(file, "%s = 10.21.0.0/24,%*s%s\n", key, (int)blanks, "", last);
}

static void a_line_may_have_64_kib(void **state)
{
	static const size_t lengths[] = { 198, 199, 200, 201, 4096, 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct text file CLEANUP(text_free) = { 0 };
		struct config config;

		text_add_string(&file, "[clients]\n");
		add_long_line(&file, "subnet4", "10.20.0.0/24", lengths[i]);
		text_add_string(&file, "[gateway]\naddress4 = 172.28.0.2\n");
		load_valid(&config, text_string(&file));
		assert_int_equal(config.subnets[IPV4].count, 2);
		assert_string_equal(config.subnets[IPV4].text[1], "10.20.0.0/24");
		config_free(&config);
	}
}

/* One error: what the line would have said is not said to be missing. */
static void a_longer_line_is_the_only_error(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };

	(void)state;
	text_add_string(&file, "[gateway]\naddress4 = 172.28.0.2\n[clients]\n");
	add_long_line(&file, "subnet4", "10.20.0.0/24", 65537);
	refused(text_string(&file), "gateway.ini:4: the line has 65537 bytes, at most 65536 are allowed");
}

static void a_thousand_subnets_of_ipv6_fit_in_a_line(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };
	struct config config;

	(void)state;
	text_add_string(&file, "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = ");
	for (unsigned int i = 0; i < 1000; i++)
		text_add(&file, "%sfd20:1234:5678:9abc:def0:1234:%x:a000/120", i ? ", " : "", 0x5678 + i);
	text_add_string(&file, "\n[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2\n");
	load_valid(&config, text_string(&file));
	assert_int_equal(config.subnets[IPV6].count, 1000);
	config_free(&config);
}

static void a_line_that_is_refused_is_not_missed_too(void **state)
{
	static const char *const lines[] = {
		"subnet4 =", "subnet4 10.20.0.0/24", "subnt4 = 10.20.0.0/24", "[clients", "subnet4 = 10.20.0.0/24\x1b[2J",
		"[clint]\nsubnet4 = 10.20.0.0/24",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct text file CLEANUP(text_free) = { 0 };

		text_add(&file, "[gateway]\naddress4 = 172.28.0.2\n[clients]\n%s\n", lines[i]);
		refused(text_string(&file), "gateway.ini:");
	}
}

static void the_rest_of_a_long_comment_is_no_line(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };
	struct config config;

	(void)state;
	for (unsigned int length = 180; length < 220; length++) {
		text_add(&file, VALID "; %*s", (int)length, "address6 = direct\n");
		text_add(&file, "table = 7 ; %*s", (int)length, "table = 8\n");
		load_valid(&config, text_string(&file));
		assert_int_equal(config.gateway[0].to[IPV6].mode, GATEWAY_BLOCK);
		assert_int_equal(config.gateway[0].table, 7);
		config_free(&config);
		text_free(&file);
	}
}

static void indented_lines_are_lines_of_their_own(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, "  [clients]\n    subnet4 = 10.20.0.0/24\n\t[gateway]\n\taddress4 = 172.28.0.2\n"
		   "\t \taddress6 = block\n \n\t\n");
	assert_string_equal(config.setting[KEY_ADDRESS4].value, "172.28.0.2");
	assert_string_equal(config.setting[KEY_ADDRESS6].value, "block");
	assert_int_equal(config.setting[KEY_ADDRESS6].line, 5);
	config_free(&config);
	refused("[clients]\nsubnet4 = 10.20.0.0/24,\n  10.21.0.0/24\n[gateway]\naddress4 = block\n",
		"gateway.ini:3: is neither [section] nor key = value");
}

static void other_ends_of_lines_are_the_same(void **state)
{
	static const char *const files[] = {
		"[clients]\r\nsubnet4 = 10.20.0.0/24\r\n[gateway]\r\naddress4 = 172.28.0.2\r\n",
		"\xef\xbb\xbf[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2",
		"\xef\xbb\xbf; x\r\n[clients]\r\nsubnet4=10.20.0.0/24  \r\n\r\n[gateway] \r\naddress4\t=\t172.28.0.2\t",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct config config;

		load_valid(&config, files[i]);
		assert_string_equal(config.setting[KEY_SUBNET4].value, "10.20.0.0/24");
		assert_string_equal(config.setting[KEY_ADDRESS4].value, "172.28.0.2");
		config_free(&config);
	}
	refused("[clients]\n\xef\xbb\xbfsubnet4 = 10.20.0.0/24\n", "gateway.ini:2: unknown key");
}

static void comments_are_passed_over(void **state)
{
	struct config config;

	(void)state;
	load_valid(&config, "; one\n# two\n  ; three = 3\n[clients] ; the pool\n;subnet4 = 10.99.0.0/24\n"
		   "#subnet6 = x\nsubnet4 = 10.20.0.0/24 ; as in ocserv.conf = there\n"
		   "; k\xc3\xbc" "che [x\n[gateway]\t; up\naddress4 = 172.28.0.2\t; the container\n");
	assert_string_equal(config.setting[KEY_SUBNET4].value, "10.20.0.0/24");
	assert_string_equal(config.setting[KEY_ADDRESS4].value, "172.28.0.2");
	assert_null(config.setting[KEY_SUBNET6].value);
	config_free(&config);
	refused(VALID "table = 7;8\n", "[gateway] table = 7;8: must be a number");
	refused(VALID "table = 7#x\n", "[gateway] table = 7#x: must be a number");
}

static void binary_files_are_refused(void **state)
{
	static const struct { const char *bytes; size_t length; } files[] = {
		{ "[clients]\nsubnet4 = 10.20.0.0/24\0x\n[gateway]\naddress4 = block\n", 61 },
		{ "\x7f" "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\n", 21 },
		{ "\0", 1 },
		{ "[clients]\nsubnet4 = 10.20.0.0/24\x1b[2J\n", 38 },
		/* Without a line feed all of it would be one comment. */
		{ "; x\r[clients]\rsubnet4 = 10.20.0.0/24\r", 38 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct report report = { 0 };
		struct config config;

		write_bytes("gateway.ini", files[i].bytes, files[i].length);
		assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), -1);
		assert_line(&report.errors, "the line contains control characters; is this a text file?");
		config_free(&config);
		report_free(&report);
	}
}

static void values_may_hold_any_byte_of_text(void **state)
{
	(void)state;
	refused(VALID "interface = \xff\xc3\xbc%s%n\n",
		"[gateway] interface = \xff\xc3\xbc%s%n: must be an interface name");
}

/* The file itself */

static void check_file_refused(const char *path, const char *said)
{
	struct report report = { 0 };
	struct config config;

	assert_int_equal(config_load(&config, path, NULL, &report), -1);
	assert_int_equal(report.status, EX_CONFIG);
	assert_int_equal(report.errors.count, 1);
	assert_line(&report.errors, path);
	assert_line(&report.errors, said);
	assert_false(config.file_read);
	config_free(&config);
	report_free(&report);
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	static const struct { mode_t mode; bool refused; } cases[] = {
		{ 0600, false }, { 0644, false }, { 0444, false }, { 0755, false }, { 0602, true }, { 0666, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct report report = { 0 };
		struct config config;

		write_file("gateway.ini", VALID);
		assert_int_equal(chmod("gateway.ini", cases[i].mode), 0);
		if (cases[i].refused) {
			check_file_refused("gateway.ini", "others can write to it (mode 06");
			continue;
		}
		assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), 0);
		config_free(&config);
	}
}

static void a_file_that_a_group_can_write_is_refused(void **state)
{
	struct config config;
	struct report report = { 0 };

	(void)state;
	write_file("gateway.ini", VALID);
	assert_int_equal(chmod("gateway.ini", 0660), 0);
	if (geteuid() == 0) {
		/* Root's own group is root. */
		assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), 0);
		config_free(&config);
		assert_int_equal(chown("gateway.ini", 0, 4711), 0);
	}
	check_file_refused("gateway.ini", "others can write to it (mode 0660); chmod go-w it");
}

static void a_file_of_another_user_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("gateway.ini", VALID);
	assert_int_equal(chown("gateway.ini", 4711, 0), 0);
	check_file_refused("gateway.ini", "belongs to user 4711; chown root it");
}

static void load_own_file(void)
{
	struct report report = { 0 };
	struct config config;

	write_file("gateway.ini", VALID);
	assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), 0);
	config_free(&config);
}

static void the_user_who_runs_it_may_own_the_file(void **state)
{
	(void)state;
	run_as_nobody(load_own_file);
}

static void load_unreadable(void)
{
	check_file_refused("gateway.ini", "Permission denied; run it as root");
}

static void a_file_that_can_not_be_read_is_refused(void **state)
{
	(void)state;
	write_file("gateway.ini", VALID);
	assert_int_equal(chmod("gateway.ini", geteuid() == 0 ? 0600 : 0), 0);
	run_as_nobody(load_unreadable);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	(void)state;
	assert_int_equal(mkdir("directory", 0700), 0);
	check_file_refused("directory", "is not a regular file");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	alarm(5);
	check_file_refused("fifo", "is not a regular file");
	alarm(0);
	check_file_refused("/dev/null", "is not a regular file");
	check_file_refused("missing", "No such file or directory; create it (see the sample), or name another with -c "
				      "or OCSERV_GATEWAY_CONFIG");
	check_file_refused("missing/gateway.ini", "No such file or directory");
}

static void a_file_that_was_cut_to_nothing_is_refused(void **state)
{
	static const char *const files[] = { "", "\n\n", " \t\r\n ", "\xef\xbb\xbf", "\xef\xbb\xbf\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++)
		refused(files[i], "gateway.ini: is empty, perhaps because the disk was full", "or remove the file");
}

static void a_name_of_nothing_is_refused(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("gateway.ini", VALID);
	setenv("OCSERV_GATEWAY_CONFIG", "", 1);
	assert_int_equal(config_load(&config, NULL, NULL, &report), -1);
	assert_int_equal(report.status, EX_CONFIG);
	assert_line(&report.errors, "OCSERV_GATEWAY_CONFIG is empty; name the configuration there, or unset it");
	config_free(&config);
	report_free(&report);
	assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), 0);
	config_free(&config);
	assert_int_equal(config_load(&config, "", NULL, &report), -1);
	assert_line(&report.errors, "--config is empty");
	config_free(&config);
	report_free(&report);
}

static void a_huge_file_is_refused(void **state)
{
	(void)state;
	write_file("gateway.ini", VALID);
	assert_int_equal(truncate("gateway.ini", 1048577), 0);
	check_file_refused("gateway.ini", "is larger than 1048576 bytes");
}

static void the_largest_file_is_read_to_its_end(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };
	struct config config;

	(void)state;
	text_add(&file, "%s", VALID);
	while (file.length + strlen(";\ntable = 7\n") <= 1048576)
		text_add(&file, ";\n");
	text_add(&file, "table = 7\n");
	assert_in_range(file.length, 1048575, 1048576);
	load_valid(&config, text_string(&file));
	assert_int_equal(config.gateway[0].table, 7);
	config_free(&config);
}

static void the_environment_names_the_file(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("gateway.ini", VALID);
	write_file("other.ini", VALID "table = 7\n");
	setenv("OCSERV_GATEWAY_CONFIG", "other.ini", 1);
	assert_int_equal(config_load(&config, NULL, NULL, &report), 0);
	assert_int_equal(config.gateway[0].table, 7);
	assert_string_equal(config.path, "other.ini");
	config_free(&config);

	assert_int_equal(config_load(&config, "gateway.ini", NULL, &report), 0);
	assert_int_equal(config.gateway[0].table, 100);
	config_free(&config);

	setenv("OCSERV_GATEWAY_CONFIG", "missing.ini", 1);
	setenv("VPN_GATEWAY", "172.28.0.2", 1);
	assert_int_equal(config_load(&config, NULL, NULL, &report), -1);
	assert_line(&report.errors, "missing.ini: No such file or directory");
	config_free(&config);
	report_free(&report);
}

static void the_environment_alone_can_configure(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	if (access(SYSCONFDIR "/ocserv/gateway.ini", F_OK) == 0)
		skip();
	setenv("VPN_SUBNET", "10.20.0.0/24", 1);
	setenv("VPN_GATEWAY", "172.28.0.2", 1);
	assert_int_equal(config_load(&config, NULL, NULL, &report), 0);
	assert_string_equal(config.path, SYSCONFDIR "/ocserv/gateway.ini");
	assert_false(config.file_read);
	assert_int_equal(config.gateway[0].to[IPV4].mode, GATEWAY_ADDRESS);
	assert_int_equal(config.setting[KEY_ADDRESS4].origin, FROM_ENVIRONMENT);
	config_free(&config);

	unsetenv("VPN_GATEWAY");
	assert_int_equal(config_load(&config, NULL, NULL, &report), 0);
	assert_true(config_is_plain(&config));
	config_free(&config);

	unsetenv("VPN_SUBNET");
	assert_int_equal(config_load(&config, NULL, NULL, &report), 0);
	assert_true(config_is_plain(&config));
	assert_false(config.file_read);
	config_free(&config);
	report_free(&report);
}

/* Names of interfaces */

static void patterns_match_names(void **state)
{
	static const struct { const char *pattern; bool wildcard; const char *name; bool matches; } cases[] = {
		{ "vpns", true, "vpns0", true }, { "vpns", true, "vpns", true }, { "vpns", true, "vpn", false },
		{ "vpns", true, "xvpns0", false }, { "vpns", true, "VPNS0", false }, { "tun0", false, "tun0", true },
		{ "tun0", false, "tun00", false }, { "tun0", false, "tun", false }, { "tun0", false, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct interface_pattern pattern = { .wildcard = cases[i].wildcard };

		strcpy(pattern.name, cases[i].pattern);
		if (interface_matches(&pattern, cases[i].name) != cases[i].matches)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
	}
}

static void names_are_plain_and_short(void **state)
{
	static const struct { const char *name; bool valid; } cases[] = {
		{ "e", true }, { "eth0", true }, { "eth0.100", true }, { "veth@if3", true }, { "a-b_c", true },
		{ "eth012345678901", true }, { "eth0123456789012", false }, { "", false }, { "-eth0", false },
		{ ".", false }, { "..", false }, { "a b", false }, { "a/b", false }, { "a\"b", false },
		{ "a*", false }, { "a;b", false }, { "a\nb", false }, { "\xc3\xbc", false }, { "$(id)", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (interface_name_valid(cases[i].name) != cases[i].valid)
			fail_msg("'%s'", cases[i].name);
}

/* Gateways by name */

#define NAMED VALID "[gateway nl]\naddress4 = 172.28.0.4\n"

static void a_gateway_by_name_has_values_of_its_own(void **state)
{
	const struct gateway *nl, *us;
	struct config config;
	struct report report = { 0 };
	char section[GATEWAY_SECTION];

	(void)state;
	load_valid(&config, "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway us]\naddress6 = fe80::1\n"
		   "interface = wg0\nmasquerade = no\nmac6 = 02:00:00:00:00:02\ntable = 7\n[gateway n-l]\naddress4 = 172.28.0.4\n"
		   "address6 = direct\n[gateway]\naddress4 = 172.28.0.2\nmasquerade = no\n");
	assert_int_equal(config.gateways, 3);
	us = &config.gateway[1];
	nl = &config.gateway[2];
	assert_string_equal(us->name, "us");
	assert_string_equal(nl->name, "n_l");
	assert_ptr_equal(config_gateway_named(&config, "us"), us);
	assert_ptr_equal(config_gateway_named(&config, "n-l"), nl);
	assert_ptr_equal(config_gateway_named(&config, "n_l"), nl);
	assert_ptr_equal(config_gateway_named(&config, "DEFAULT"), &config.gateway[0]);
	assert_ptr_equal(config_gateway_named(&config, "Direct"), &config.direct);
	assert_ptr_equal(config_gateway_named(&config, "drop"), &config.block);
	assert_null(config_gateway_named(&config, "US"));
	assert_null(config_gateway_named(&config, "link"));
	assert_null(config_gateway_named(&config, ""));
	assert_int_equal(us->to[IPV4].mode, GATEWAY_BLOCK);
	assert_int_equal(us->to[IPV6].mode, GATEWAY_ADDRESS);
	assert_true(us->to[IPV6].mac.known);
	assert_false(us->masquerade);
	assert_true(nl->masquerade);
	assert_int_equal(nl->to[IPV6].mode, GATEWAY_DIRECT);
	assert_string_equal(us->interface, "wg0");
	assert_string_equal(nl->interface, "");
	assert_int_equal(us->table, 7);
	assert_int_equal(nl->table, 101);
	assert_int_equal(config.gateway[0].table, 100);
	assert_string_equal(gateway_section(nl, section), "[gateway n_l]");
	gateway_error(&config, us, &report, KEY_GATEWAY_INTERFACE, "no");
	gateway_error(&config, nl, &report, KEY_TABLE, "no");
	gateway_error(&config, &config.gateway[0], &report, KEY_ADDRESS4, "no");
	assert_line(&report.errors, "gateway.ini:6: [gateway us] interface = wg0: no");
	assert_line(&report.errors, "gateway.ini: [gateway n_l] table = 101: no");
	assert_line(&report.errors, "gateway.ini:14: [gateway] address4 = 172.28.0.2: no");
	report_free(&report);
	config_free(&config);
}

static void tables_leave_out_what_others_have(void **state)
{
	struct text file CLEANUP(text_free) = { 0 };
	struct config config;

	(void)state;
	text_add(&file, "%s[gateway]\ntable = 101\n", VALID);
	for (int i = 1; i <= 250; i++)
		text_add(&file, "[gateway g%d]\naddress4 = 172.28.%d.%d\n%s", i, i / 100, 1 + i % 100, i == 40 ? "table = 103\n" : "");
	load_valid(&config, text_string(&file));
	assert_int_equal(config.gateways, CONFIG_GATEWAYS);
	assert_int_equal(config.gateway[1].table, 102);
	assert_int_equal(config.gateway[2].table, 104);
	assert_int_equal(config.gateway[40].table, 103);
	for (unsigned int i = 0; i < config.gateways; i++) {
		assert_not_in_range(config.gateway[i].table, 253, 255);
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(config.gateway[i].table, config.gateway[j].table);
		assert_ptr_equal(config_gateway_named(&config, config.gateway[i].name), &config.gateway[i]);
	}
	config_free(&config);
}

static void who_is_sent_nowhere_is_blocked_without_a_default(void **state)
{
	static const char *const files[] = {
		"[clients]\nsubnet4 = 10.20.0.0/24\n[gateway nl]\naddress4 = 172.28.0.4\n",
		"[clients]\nsubnet4 = 10.20.0.0/24\n[users]\nalice = block\n",
		"[clients]\nsubnet4 = 10.20.0.0/24\n[maps]\nusers = /nowhere\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct config config;

		load_valid(&config, files[i]);
		assert_false(config_is_plain(&config));
		assert_true(config_is_mapped(&config));
		assert_int_equal(config_default(&config)->to[IPV4].mode, GATEWAY_BLOCK);
		assert_int_equal(config_default(&config)->to[IPV6].mode, GATEWAY_BLOCK);
		assert_true(config_covers(&config, IPV6));
		config_free(&config);
	}
	refused("[users]\nalice = block\n", "[clients] subnet4 is not set: write the IPv4 subnet");
}

/* The families of which the rules are, with anybody sent anywhere. */
static void what_is_governed_with_many(void **state)
{
	static const struct { const char *more; bool governs, blocks; } cases[] = {
		{ "", false, false }, { "[users]\na = nl\n", false, false }, { "[users]\na = block\n", true, false },
		{ "[users]\na = direct\n", false, false }, { "[maps]\nusers = /nowhere\n", true, false },
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text file CLEANUP(text_free) = { 0 };

		text_add(&file, "%saddress6 = direct\n[gateway nl]\naddress4 = 172.28.0.4\naddress6 = direct\n%s", VALID,
			 cases[i].more);
		load_valid(&config, text_string(&file));
		assert_int_equal(config_covers(&config, IPV6), cases[i].governs);
		assert_int_equal(config_blocks(&config, IPV6), cases[i].blocks);
		assert_true(config_covers(&config, IPV4));
		assert_false(config_blocks(&config, IPV4));
		config_free(&config);
	}
	load_valid(&config, NAMED "[users]\na = direct\n");
	assert_true(config_covers(&config, IPV6));
	assert_false(config_blocks(&config, IPV6));
	config_free(&config);
	load_valid(&config, NAMED);
	assert_true(config_blocks(&config, IPV6));
	config_free(&config);
	load_valid(&config, VALID);
	assert_false(config_is_mapped(&config));
	config_free(&config);
}

static void what_is_wrong_with_gateways_by_name_is_said(void **state)
{
	(void)state;
	refused(NAMED "[gateway nl]\naddress4 = 1.2.3.4\n", "gateway.ini:7: [gateway nl] is already in line 5; keep one");
	refused(VALID "[gateway nl]\n", "gateway.ini:5: [gateway nl]: leaves both families blocked; set");
	refused(VALID "[gateway nl]\naddress4 = block\naddress6 = drop\n", "gateway.ini:5: [gateway nl]: leaves both");
	refused(NAMED "address6 = link\n[clients]\nsubnet6 = fd20::/64\n",
		"gateway.ini:7: [gateway nl] address6 = link: needs the interface", "write [gateway nl] interface = NAME");
	refused(NAMED "address6 = fe80::1\n[clients]\nsubnet6 = fd20::/64\n", "[gateway nl] address6 = fe80::1: is link-local; set [gateway nl] interface");
	refused(NAMED "address6 = fd28::1\n", "[clients] subnet6 is not set: write the IPv6 subnet");
	refused(NAMED "mac6 = 02:00:00:00:00:02\n", "[gateway nl] mac6 = 02:00:00:00:00:02: there is no IPv6 gateway", "set [gateway nl] address6");
	refused(NAMED "interface = vpns7\n", "[gateway nl] interface = vpns7: is a tunnel interface");
	refused(NAMED "table = 100\n", "[gateway nl] table = 100: is already the routing table of gateway default");
	refused(NAMED "table = 254\n", "gateway.ini:7: [gateway nl] table = 254: must be a number");
	refused(NAMED "table = 105\n[gateway us]\naddress4 = 1.2.3.4\ntable = 105\n",
		"gateway.ini:10: [gateway us] table = 105: is already the routing table of gateway nl");
	refused(NAMED "address4 = 1.2.3.4\n", "gateway.ini:7: [gateway nl] address4 is already set in line 6");
	refused(NAMED "address6 =\n", "gateway.ini:7: [gateway nl] address6 is empty");
	refused(NAMED "address5 = 1.2.3.4\n", "unknown key 'address5' in [gateway nl]; the nearest is address4");
	refused(NAMED "mark_mask = 0xff\n", "[gateway nl] mark_mask: belongs in [gateway], and is for all gateways");
	refused(NAMED "probe = no\n", "[gateway nl] probe: belongs in [gateway]");
	refused(VALID "[gateway  -a]\n", "[gateway -a]: a gateway's name is 1 to 16 of");
	refused(VALID "[gateway ]\n", "[gateway ]: a gateway's name is");
	refused(VALID "[gateway 12345678901234567]\n", "[gateway 12345678901234567]: a gateway's name is");
	refused(VALID "[gateway LINK]\naddress4 = no\n", "[gateway LINK]: default, direct, block, drop, link, server");
	refused(VALID "[gatewayx]\naddress4 = no\n", "the unknown section [gatewayx]; the nearest is [gateway]");
	refused(VALID "[grops]\na = b\n", "the unknown section [grops]; the nearest is [groups]");
}

/* The image's variables */

static void gateways_of_the_environment_win(void **state)
{
	const struct who alice = { "alice", "", "" }, bob = { "bob", "", "" }, carol = { "carol", "", "" };
	struct text file CLEANUP(text_free) = { 0 }, line CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("gateways", "# name ipv4 ipv6\n  de=172.28.0.6 # hers\nuk\t172.28.0.7   fd28::7\n\n");
	text_add(&file, "%s/gateways", directory_path());
	setenv("VPN_GATEWAYS", "nl=172.28.0.9, us=172.28.0.5,uk=172.28.0.8,", 1);
	setenv("VPN_GATEWAYS6", "us=drop,nl=fd28::9", 1);
	setenv("VPN_GATEWAYS_FILE", text_string(&file), 1);
	setenv("VPN_USER_GATEWAY", "alice=us , DOM\\eve=block,carol=nl", 1);
	load_valid(&config, NAMED "[clients]\nsubnet6 = fd20::/64\n[users]\nalice = nl\nbob = uk\n");
	assert_int_equal(config.gateways, 5);
	assert_string_equal(gateway_setting(&config, config_gateway_named(&config, "nl"), KEY_ADDRESS4)->value, "172.28.0.9");
	assert_int_equal(config_gateway_named(&config, "nl")->to[IPV6].mode, GATEWAY_ADDRESS);
	assert_int_equal(config_gateway_named(&config, "us")->to[IPV6].mode, GATEWAY_BLOCK);
	assert_string_equal(gateway_setting(&config, config_gateway_named(&config, "uk"), KEY_ADDRESS4)->value, "172.28.0.7");
	assert_string_equal(config_gateway_of(&config, &alice, &line, &report)->name, "us");
	assert_string_equal(text_string(&line), "environment: VPN_USER_GATEWAY: alice=us");
	assert_string_equal(config_gateway_of(&config, &bob, NULL, &report)->name, "uk");
	assert_string_equal(config_gateway_of(&config, &carol, NULL, &report)->name, "nl");
	assert_ptr_equal(config_gateway_of(&config, &(struct who){ .user = "DOM\\eve" }, NULL, &report), &config.block);
	gateway_error(&config, config_gateway_named(&config, "nl"), &report, KEY_ADDRESS4, "no");
	gateway_error(&config, config_gateway_named(&config, "uk"), &report, KEY_ADDRESS6, "no");
	assert_line(&report.errors, "environment: VPN_GATEWAYS: nl=172.28.0.9: no");
	assert_line(&report.errors, "/gateways:3: [gateway uk] address6 = fd28::7: no");
	config_free(&config);
	report_free(&report);
}

static void users_of_the_environment_come_in_the_image_s_order(void **state)
{
	const struct who alice = { "alice", "", "" };
	struct text file CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("users", "alice nl\n");
	text_add(&file, "%s/users", directory_path());
	setenv("VPN_USER_GATEWAY", "alice=direct", 1);
	setenv("VPN_USER_GATEWAY_FILE", text_string(&file), 1);
	load_valid(&config, NAMED "[users]\nalice = block\n[maps]\nusers = /nowhere\n");
	assert_string_equal(config_gateway_of(&config, &alice, NULL, &report)->name, "nl");
	config_free(&config);
	unsetenv("VPN_USER_GATEWAY_FILE");
	load_valid(&config, NAMED "[users]\nalice = block\n");
	assert_string_equal(config_gateway_of(&config, &alice, NULL, &report)->name, "direct");
	config_free(&config);
}

static void what_is_wrong_with_the_image_s_variables_is_said(void **state)
{
	static const struct { const char *name, *value, *said; } cases[] = {
		{ "VPN_GATEWAYS", "nl", "environment: VPN_GATEWAYS: 'nl' is no NAME=GATEWAY" },
		{ "VPN_GATEWAYS", "=1.2.3.4", "is no NAME=GATEWAY" },
		{ "VPN_GATEWAYS", "us=", "is no NAME=GATEWAY" },
		{ "VPN_GATEWAYS", "us=nordvpn", "environment: VPN_GATEWAYS: us=nordvpn: must be an IPv4 address" },
		{ "VPN_GATEWAYS", "us=block", "environment: gateway us: leaves both families blocked" },
		{ "VPN_GATEWAYS", "us=1.2.3.4,us=1.2.3.5", "environment: VPN_GATEWAYS: us stands there twice" },
		{ "VPN_GATEWAYS", "direct=1.2.3.4", "environment: VPN_GATEWAYS: direct: default, direct" },
		{ "VPN_GATEWAYS6", "us=1.2.3.4", "environment: VPN_GATEWAYS6: us=1.2.3.4: is not IPv6" },
		{ "VPN_GATEWAYS_FILE", "gateways", "gateways must be an absolute path" },
		{ "VPN_GATEWAYS_FILE", "/nowhere", "environment: VPN_GATEWAYS_FILE: /nowhere: No such file" },
		{ "VPN_USER_GATEWAY", "alice=uk", "environment: VPN_USER_GATEWAY: alice=uk: there is no such gateway; there are nl, default" },
		{ "VPN_USER_GATEWAY", "alice=nl,alice=nl", "alice=nl: that name stands there twice" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		setenv(cases[i].name, cases[i].value, 1);
		refused(NAMED, cases[i].said);
		unsetenv(cases[i].name);
	}
}

static void what_is_wrong_with_the_file_of_gateways_is_said(void **state)
{
	static const struct { const char *content, *said; } cases[] = {
		{ "\nus\n", "/gateways:2: is no NAME IPV4 [IPV6]" },
		{ "us 1.2.3.4 block x\n", "/gateways:1: is no NAME IPV4 [IPV6]" },
		{ "us 1.2.3.4\nus 1.2.3.4\n", "/gateways:2: us stands there twice" },
		{ "us 1.2.3.400\n", "/gateways:1: [gateway us] address4 = 1.2.3.400: must be an IPv4 address" },
		{ "u.s 1.2.3.4\n", "/gateways:1: u.s: a gateway's name is" },
	};
	struct text path CLEANUP(text_free) = { 0 };

	(void)state;
	text_add(&path, "%s/gateways", directory_path());
	setenv("VPN_GATEWAYS_FILE", text_string(&path), 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("gateways", cases[i].content);
		refused(VALID, cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(every_key_has_a_case),
		in_directory(every_key_is_documented),
		in_directory(keys_of_the_file_are_kept_with_their_line),
		in_directory(keys_not_set_have_their_default),
		in_directory(the_environment_wins_over_the_file),
		in_directory(an_empty_variable_is_unset),
		in_directory(an_empty_value_is_refused),
		in_directory(defaults_are_parsed),
		in_directory(values_are_parsed),
		in_directory(booleans_have_eight_words),
		in_directory(one_family_alone_blocks_the_other),
		in_directory(nothing_said_is_plain),
		in_directory(a_gateway_that_is_missing_is_refused),
		in_directory(a_variable_that_asks_for_a_gateway_is_not_plain),
		in_directory(a_variable_that_is_not_read_is_told),
		in_directory(a_direct_family_is_not_covered),
		in_directory(a_covered_family_needs_its_subnet),
		in_directory(subnet6_may_be_unset_where_ipv6_has_no_gateway),
		in_directory(a_gateway_is_no_client),
		in_directory(a_link_local_gateway_needs_an_interface),
		in_directory(the_gateways_interface_is_no_tunnel),
		in_directory(a_hardware_address_needs_a_gateway),
		in_directory(a_link_needs_its_interface),
		in_directory(a_link_leaves_nothing_of_an_address),
		in_directory(wrong_values_are_named_with_the_remedy),
		in_directory(what_other_files_have_around_a_value_is_named_with_how_to_write_it),
		in_directory(a_path_may_hold_what_begins_a_comment_elsewhere),
		in_directory(a_subnet_may_have_a_netmask_as_in_ocserv_conf),
		in_directory(wrong_variables_are_named_with_the_remedy),
		in_directory(an_endless_value_leaves_room_for_the_reason),
		in_directory(numbers_reach_to_their_limits),
		in_directory(names_reach_to_their_limits),
		in_directory(subnets_may_be_many),
		in_directory(every_wrong_subnet_of_a_list_is_named),
		in_directory(a_script_that_others_can_write_is_refused),
		in_directory(all_errors_are_reported_at_once),
		in_directory(errors_between_keys_come_with_the_others),
		in_directory(the_nearest_key_is_proposed),
		in_directory(an_endless_key_is_cut_in_the_message),
		in_directory(a_key_before_any_section_is_refused),
		in_directory(a_key_stands_once),
		in_directory(a_section_line_holds_nothing_else),
		in_directory(what_is_no_pair_is_refused),
		in_directory(a_line_may_have_64_kib),
		in_directory(a_longer_line_is_the_only_error),
		in_directory(a_thousand_subnets_of_ipv6_fit_in_a_line),
		in_directory(a_line_that_is_refused_is_not_missed_too),
		in_directory(the_rest_of_a_long_comment_is_no_line),
		in_directory(indented_lines_are_lines_of_their_own),
		in_directory(other_ends_of_lines_are_the_same),
		in_directory(comments_are_passed_over),
		in_directory(binary_files_are_refused),
		in_directory(values_may_hold_any_byte_of_text),
		in_directory(a_file_that_others_can_write_is_refused),
		in_directory(a_file_that_a_group_can_write_is_refused),
		in_directory(a_file_of_another_user_is_refused),
		in_directory(the_user_who_runs_it_may_own_the_file),
		in_directory(a_file_that_can_not_be_read_is_refused),
		in_directory(what_is_no_file_is_refused_without_waiting),
		in_directory(a_file_that_was_cut_to_nothing_is_refused),
		in_directory(a_name_of_nothing_is_refused),
		in_directory(a_huge_file_is_refused),
		in_directory(the_largest_file_is_read_to_its_end),
		in_directory(the_environment_names_the_file),
		in_directory(the_environment_alone_can_configure),
		in_directory(patterns_match_names),
		in_directory(names_are_plain_and_short),
		in_directory(a_gateway_by_name_has_values_of_its_own),
		in_directory(tables_leave_out_what_others_have),
		in_directory(who_is_sent_nowhere_is_blocked_without_a_default),
		in_directory(what_is_governed_with_many),
		in_directory(what_is_wrong_with_gateways_by_name_is_said),
		in_directory(gateways_of_the_environment_win),
		in_directory(users_of_the_environment_come_in_the_image_s_order),
		in_directory(what_is_wrong_with_the_image_s_variables_is_said),
		in_directory(what_is_wrong_with_the_file_of_gateways_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
