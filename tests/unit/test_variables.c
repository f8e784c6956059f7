/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/variables.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take(const struct strange_variable *variable, void *data)
{
	text_add(data, "%.*s:%s%s\n", variable->length, variable->name, variable->meant ? variable->meant : "-",
		 variable->harmless ? " (harmless)" : variable->asks ? "" : " (clients)");
}

/* With one variable alone, what is said of it. */
static void expect(const char *name, const char *said)
{
	struct text found CLEANUP(text_free) = { 0 };

	clearenv();
	setenv(name, "x", 1);
	variables_visit_strange(take, &found);
	if (strcmp(text_string(&found), said) != 0)
		fail_msg("%s: '%s', not '%s'", name, text_string(&found), said);
}

static void slips_are_found(void **state)
{
	(void)state;
	expect("VPN_GATWAY", "VPN_GATWAY:VPN_GATEWAY\n");
	expect("VPN_GATEWAY4", "VPN_GATEWAY4:VPN_GATEWAY\n");
	expect("VPN_GATEWAY_", "VPN_GATEWAY_:VPN_GATEWAY\n");
	expect("VPNGATEWAY6", "VPNGATEWAY6:VPN_GATEWAY6\n");
	expect("VPN_GATEWYA", "VPN_GATEWYA:VPN_GATEWAY\n");
	expect("PVN_GATEWAY", "PVN_GATEWAY:VPN_GATEWAY\n");
	expect("vpn_gateway", "vpn_gateway:VPN_GATEWAY\n");
	expect("Vpn_Gatway", "Vpn_Gatway:VPN_GATEWAY\n");
	expect("VPN_GATEWAY_TABEL", "VPN_GATEWAY_TABEL:VPN_GATEWAY_TABLE\n");
	expect("VPN_GATEWAY_RULE_PRIOR", "VPN_GATEWAY_RULE_PRIOR:VPN_GATEWAY_RULE_PRIO\n");
	expect("OCSERV_GATEWAY_CONF", "OCSERV_GATEWAY_CONF:OCSERV_GATEWAY_CONFIG\n");
	expect("WAN_FI", "WAN_FI:WAN_IF\n");
	expect("WANIF", "WANIF:WAN_IF\n");
	expect("VPN_SUBNETS", "VPN_SUBNETS:VPN_SUBNET (clients)\n");
	expect("IPV4_SUBNET", "IPV4_SUBNET:IPV6_SUBNET (clients)\n");
}

static void what_the_image_has_beyond_is_found(void **state)
{
	static const char *const names[] = {
		"VPN_BYPASS_POOLS_DIR", "VPN_BYPASS_TARGETS", "VPN_GATEWAY_BYPASS", "VPN_GATEWAYS_BYPASS", "VPN_USER_BYPASS",
		"VPN_USER_BYPASS_FILE", "VPN_BYPASS_TARGETS_FILE",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct text said CLEANUP(text_free) = { 0 };

		text_add(&said, "%s:-\n", names[i]);
		expect(names[i], text_string(&said));
	}
	expect("VPN_USER_GATEWAY_WATCH", "VPN_USER_GATEWAY_WATCH:- (harmless)\n");
	expect("VPN_GATEWAYS_RESOLVE_INTERVAL", "VPN_GATEWAYS_RESOLVE_INTERVAL:- (harmless)\n");
	expect("VPN_BYPASS_MARK", "VPN_BYPASS_MARK:- (harmless)\n");
}

static void all_else_is_none_of_our_business(void **state)
{
	static const char *const names[] = {
		"PATH", "HOME", "VPN", "GATEWAY", "VPN_GATEWAY_ADDRESS", "VPN_GATEWAY_IP", "LAN_IF", "WAN_IP", "VPN_IP", "ID",
		"IP_REAL", "IPV6_REMOTE", "OCSERV_DNS", "OCSERV_GATEWAY_PROGRAM", "VPN_SERVICE", "VPN_USER", "VPN_SUBNET_MASK6",
		"A_NAME_THAT_IS_LONGER_THAN_ANY_OF_OURS_VPN_GATEWAY",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		expect(names[i], "");
}

/* Each variable of a key is known: itself it is passed over, with a slip it is found. */
static void each_variable_of_a_key_is_known(void **state)
{
	(void)state;
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct text slip CLEANUP(text_free) = { 0 }, found CLEANUP(text_free) = { 0 };
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (!key.environment)
			continue;
		expect(key.environment, "");
		text_add(&slip, "%sX", key.environment);
		clearenv();
		setenv(text_string(&slip), "", 1);
		variables_visit_strange(take, &found);
		assert_contains(text_string(&found), key.environment);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(slips_are_found),
		in_directory(what_the_image_has_beyond_is_found),
		in_directory(all_else_is_none_of_our_business),
		in_directory(each_variable_of_a_key_is_known),
	};

	/* The tests take the environment away, in which tests/run asks for it. */
	if (getenv("CMOCKA_MESSAGE_OUTPUT"))
		cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
