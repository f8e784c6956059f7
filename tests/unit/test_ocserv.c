/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of an ocserv.conf that does not fit. */
#include "cases.h"
#include "diagnose/ocserv.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define SCRIPTS "connect-script = ./ocserv-gateway\ndisconnect-script = ./ocserv-gateway\n"
#define SHIMS "connect-script = ./ocserv-gateway-hook\ndisconnect-script = ./ocserv-gateway-hook\n"
#define FITTING "device = vpns\nipv4-network = 10.20.0.0/24\nipv6-network = fd20::/64\ndns = 203.0.113.1\n" SCRIPTS

/* A configuration beside ocserv's. */
static void load(struct config *config, const char *text, const char *ocserv_conf)
{
	struct report report = { 0 };

	write_file("gateway.ini", text);
	if (config_load(config, "gateway.ini", ocserv_conf, &report) < 0)
		fail_msg("%s", report.errors.line[0]);
}

static bool look(const struct config *config, struct netlink *route, struct report *report)
{
	struct ocserv ocserv;
	bool read;

	ocserv_find(&ocserv, config);
	read = ocserv_check(&ocserv, config, route, report);
	ocserv_free(&ocserv);
	return read;
}

/* What is found in ocserv.conf with the settings of the seed's case and @settings. */
static void find(struct report *report, const char *settings, const char *text)
{
	struct text configuration CLEANUP(text_free) = { 0 };
	struct netlink route;
	struct config config;

	text_add(&configuration, "%s%s", case_text("seed"), settings);
	load(&config, text_string(&configuration), "ocserv.conf");
	write_file("ocserv.conf", text);
	write_file("ocserv-gateway", "");
	write_file("ocserv-gateway-hook", "");
	chmod("ocserv-gateway", 0755);
	chmod("ocserv-gateway-hook", 0755);
	*report = (struct report){ 0 };
	assert_int_equal(netlink_open(&route, NETLINK_ROUTE, report), 0);
	assert_true(look(&config, &route, report));
	netlink_close(&route);
	config_free(&config);
}

static void expect_nothing(const char *settings, const char *text)
{
	struct report report;

	find(&report, settings, text);
	if (report.errors.count + report.warnings.count > 0)
		fail_msg("%s\nsays: %s", text, report.errors.count ? report.errors.line[0] : report.warnings.line[0]);
	report_free(&report);
}

enum kind { WARNING, ERROR };

/* Just one finding, of that kind. */
static void expect(enum kind kind, const char *settings, const char *text, const char *finding)
{
	const struct lines *lines;
	struct report report;

	find(&report, settings, text);
	lines = kind == ERROR ? &report.errors : &report.warnings;
	assert_int_equal(report.errors.count + report.warnings.count, 1);
	assert_int_equal(report.status, kind == ERROR ? EX_CONFIG : 0);
	assert_line(lines, finding);
	report_free(&report);
}

static void what_fits_is_passed_over(void **state)
{
	(void)state;
	expect_nothing("", FITTING);
	expect_nothing("", "# a comment\n; another\n" FITTING "auth = \"plain[passwd=./ocpasswd]\"\nmax-clients = 16\n");
	expect_nothing("", "device = \"vpns\"\n" SCRIPTS "ipv4-network = 10.20.0.128\nipv4-netmask = 255.255.255.128\n");
	expect_nothing("", SCRIPTS "ipv6-network = fd20::\nipv6-prefix = 64\n");
	expect_nothing("", FITTING "[vhost:two.example]\n\tipv4-network = 10.20.0.64/26\n");
	expect_nothing("", SHIMS "restrict-user-to-routes = true\n");
	expect_nothing("", FITTING "restrict-user-to-routes = false\n");
	expect_nothing("", FITTING "explicit-ipv4 = 10.99.0.9\n[other]\nconnect-script = ./another\nipv4-network = 10.30.0.0/24\n");
	expect_nothing("", FITTING "ipv4-network = 10.20.0.0/24 ; all of them\n  # a comment\n");
	expect_nothing("", FITTING "dns = no-address\nipv4-network = neither\n");
}

static void a_pool_outside_the_subnets_is_an_error(void **state)
{
	(void)state;
	expect(ERROR, "", SCRIPTS "\nipv4-network = 10.30.0.0/24\n",
	       "ocserv.conf:4: ipv4-network = 10.30.0.0/24: is not within [clients] subnet4, so sessions with these "
	       "addresses are refused; add 10.30.0.0/24 to it");
	expect(ERROR, "", SCRIPTS "ipv4-network = \"10.30.0.0/24\"\n", "ocserv.conf:3: ipv4-network = 10.30.0.0/24: is");
	expect(ERROR, "", SCRIPTS "ipv4-network = 10.20.0.0\nipv4-netmask = 255.255.0.0\n", "add 10.20.0.0/16 to it");
	expect(ERROR, "", SCRIPTS "ipv6-network = fd20::/48\n", "[clients] subnet6, so sessions with these");
	expect(ERROR, "", SCRIPTS "ipv6-network = fd21::5\nipv6-prefix = 64\n", "add fd21::/64 to it");
	expect(ERROR, "", SCRIPTS "ipv4-network = 10.20.0.0/24\nipv4-netmask = 255.255.0.0 # x\n", "add 10.20.0.0/16 to it");
	expect(ERROR, "", SCRIPTS "ipv4-network = 10.20.0.0/24\n  10.30.0.0/24\n", ":4: ipv4-network = 10.30.0.0/24: is not");
	expect(ERROR, "", FITTING "[vhost:two.example]\nipv4-network = 10.30.0.0/24\n",
	       "ocserv.conf:8: ipv4-network = 10.30.0.0/24: is not within");
}

static void a_family_that_is_left_alone_may_have_any_pool(void **state)
{
	struct report report = { 0 };
	struct netlink route;
	struct config config;

	(void)state;
	load(&config, case_text("direct4"), "ocserv.conf");
	write_file("ocserv.conf", FITTING "ipv4-network = 10.99.0.0/16\n");
	write_file("ocserv-gateway", "");
	chmod("ocserv-gateway", 0755);
	assert_int_equal(netlink_open(&route, NETLINK_ROUTE, &report), 0);
	look(&config, &route, &report);
	assert_int_equal(report.errors.count, 0);
	report_free(&report);
	netlink_close(&route);
	config_free(&config);
}

static void without_subnet6_the_kill_switch_is_alone(void **state)
{
	struct report report = { 0 };
	struct netlink route;
	struct config config;

	(void)state;
	load(&config, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n", "ocserv.conf");
	write_file("ocserv.conf", FITTING);
	write_file("ocserv-gateway", "");
	chmod("ocserv-gateway", 0755);
	assert_int_equal(netlink_open(&route, NETLINK_ROUTE, &report), 0);
	look(&config, &route, &report);
	assert_int_equal(report.errors.count, 0);
	assert_line(&report.warnings, "ocserv.conf:3: ipv6-network = fd20::/64: no policy rule covers clients' IPv6, only "
		    "the kill switch stops it; set [clients] subnet6 = fd20::/64");
	report_free(&report);
	netlink_close(&route);
	config_free(&config);
}

static void tunnels_with_another_name_are_an_error(void **state)
{
	(void)state;
	expect(ERROR, "", SCRIPTS "device = tun\n",
	       "ocserv.conf:3: device = tun: makes tunnels like tun0, which [clients] interface = vpns* does not match, so "
	       "every session is refused; set interface = tun*");
}

static void a_dns_server_that_is_this_host_is_told(void **state)
{
	static const char *const own[] = { "dns = 10.20.0.1", "ipv4-dns = 127.0.0.1", "ipv6-dns = fd20::1" };

	(void)state;
	for (size_t i = 0; i < COUNT(own); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add(&text, "%s%s\n", FITTING, own[i]);
		expect(WARNING, "", text_string(&text), "is this host: it asks via the host's own route, not via the gateway");
		expect(ERROR, "[killswitch]\ndns = block\n", text_string(&text), "so they can't resolve names");
		expect_nothing("[killswitch]\ndns = any\n", text_string(&text));
	}
}

static void scripts_are_to_name_this_program(void **state)
{
	(void)state;
	expect(ERROR, "", "disconnect-script = ./ocserv-gateway\n", "ocserv.conf: has no connect-script");
	expect(WARNING, "", "connect-script = ./ocserv-gateway\n", "ocserv.conf: has no disconnect-script");
	write_file("another", "");
	chmod("another", 0755);
	expect(WARNING, "", "connect-script = ./another\ndisconnect-script = ./ocserv-gateway\n",
	       "ocserv.conf:1: connect-script = ./another: is another program: sessions have no kill switch");
	expect(ERROR, "", "connect-script = ./gone/ocserv-gateway\ndisconnect-script = ./ocserv-gateway\n",
	       "connect-script = ./gone/ocserv-gateway: No such file or directory; ocserv refuses every session");
	expect(ERROR, "", "connect-script =\ndisconnect-script = ./ocserv-gateway\n", "ocserv.conf:1: connect-script = : No such");
	expect(ERROR, "", "connect-script = ./ocserv-gateway\ndisconnect-script = ./gone\n",
	       "disconnect-script = ./gone: No such file or directory; ocserv runs nothing when a session ends");
}

static void what_counts_for_all_stands_above_virtual_hosts(void **state)
{
	(void)state;
	expect(ERROR, "", FITTING "[vhost:two.example]\nconnect-script = ./ocserv-gateway\n",
	       "ocserv.conf:8: connect-script = ./ocserv-gateway: is in [vhost:two.example]: ocserv 1.4.2 and later do not "
	       "start with that, and earlier versions ignore it; write it above the first section");
	expect(ERROR, "", FITTING "[vhost:two.example]\ndevice = tun\n", ":8: device = tun: is in [vhost:two.example]");
}

static void what_is_not_read_as_it_looks_is_told(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };

	(void)state;
	expect(WARNING, "", FITTING "keepalive = 60\n\tconnect-script = ./another\n", "ocserv.conf:8: keepalive = connect-script = "
	       "./another: the line begins with a blank, so ocserv takes it for another value of keepalive; write connect-script "
	       "at the start of its line");
	expect_nothing("", FITTING "banner = x\n  another = line\n");
	expect(WARNING, "", FITTING "Connect-Script = ./another\n", "ocserv.conf:7: Connect-Script = ./another: ocserv ignores it, "
	       "since it only knows keys in lower case; write connect-script");
	expect(WARNING, "", FITTING "config-per-user = users ; theirs\n", "after a value, `;` starts no comment but is part of the");
	expect_nothing("", FITTING "banner = no comment ; at all\nconfig-per-user = us;ers\n");
	expect(ERROR, "", FITTING "neither\nipv4-network = 10.30.0.0/24\n", "ocserv.conf:7: is neither `name = value` nor "
	       "[vhost:NAME]: ocserv does not start with it; correct that line");
	text_add(&text, "%sbanner = %02100d = 0\n", FITTING, 0);
	expect(WARNING, "", text_string(&text), "ocserv.conf:7: is longer than 2,047 bytes: ocserv 1.5 does not start with it");
}

static void a_firewall_script_needs_the_shim(void **state)
{
	(void)state;
	expect(ERROR, "", "connect-script = ./ocserv-gateway\ndisconnect-script = ./ocserv-gateway-hook\n"
	       "restrict-user-to-ports = \"tcp(443)\"\n", "ocserv.conf:1: connect-script = ./ocserv-gateway: with "
	       "restrict-user-to-routes or restrict-user-to-ports, ocserv's firewall script runs this with sh, which fails");
}

static void files_for_groups_and_users_are_read(void **state)
{
	(void)state;
	assert_int_equal(mkdir("groups", 0755), 0);
	write_file("groups/staff", "ipv4-network = 10.31.0.0/24\n");
	write_file("groups/.hidden", "ipv4-network = 10.32.0.0/24\n");
	expect(ERROR, "", FITTING "config-per-group = groups/\n", "groups/staff:1: ipv4-network = 10.31.0.0/24: is not");
	write_file("groups/staff", "dns = 10.20.0.1\n");
	expect(WARNING, "", FITTING "config-per-user = groups\n", "groups/staff:1: dns = 10.20.0.1: is this host");
	write_file("groups/staff", "restrict-user-to-routes = yes\n");
	expect(ERROR, "", SHIMS "connect-script = ./ocserv-gateway\nconfig-per-group = groups\n", "runs this with sh");
	write_file("groups/staff", "ipv4-network = 10.31.0.0\n");
	expect(ERROR, "", FITTING "config-per-group = groups\n", "groups/staff:1: ipv4-network = 10.31.0.0: is not within [clients] "
	       "subnet4, so sessions with these addresses are refused; add 10.31.0.0/24 to it");
	write_file("groups/staff", "neither\n");
	expect(WARNING, "", FITTING "config-per-group = groups\n", "groups/staff:1: is neither `name = value` nor a comment: ocserv "
	       "stops reading here");
	write_file("groups/staff", "");
	write_file("default", "explicit-ipv4 = 10.33.0.1\n");
	expect(ERROR, "", FITTING "config-per-user = groups\ndefault-user-config = default\n",
	       "default:1: explicit-ipv4 = 10.33.0.1: is not");
	expect_nothing("", FITTING "default-user-config = default\n");
	expect_nothing("", FITTING "config-per-group = missing\ndefault-group-config = missing\n");
}

static void a_lan_behind_a_client_is_to_be_covered(void **state)
{
#define ADDS "route-add-cmd = \"ip route add %{R} dev %{D}\"\nconfig-per-user = users\n"
	static const struct { const char *line, *warning; } cases[] = {
		{ "iroute = 192.168.50.0/24", "users/alice:1: iroute = 192.168.50.0/24: is not within [clients] subnet4, so what this "
		  "network behind a client sends is dropped; add 192.168.50.0/24 to it" },
		{ "iroute = 192.168.50.7/255.255.255.0", "add 192.168.50.0/24 to it" },
		{ "iroute = fd50::/64 # hers", "is not within [clients] subnet6, so what this network behind a client" },
	};

	(void)state;
	assert_int_equal(mkdir("users", 0755), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("users/alice", cases[i].line);
		expect(WARNING, "", FITTING ADDS, cases[i].warning);
	}
	write_file("users/alice", "iroute = 10.20.0.128/25\niroute = 192.168.50.0/255.0.255.0\niroute = 192.168.50.0/33\n");
	expect_nothing("", FITTING ADDS);
	write_file("users/alice", "iroute = 10.20.0.128/25\n");
	expect(WARNING, "[gateway nl]\naddress4 = 172.28.0.4\n", FITTING "config-per-user = users\nroute-add-cmd = \"x\"\n",
	       "users/alice:1: iroute = 10.20.0.128/25: with several gateways what this network behind a client sends is dropped");
	expect(WARNING, "", FITTING "config-per-user = users\n", "users/alice:1: iroute = 10.20.0.128/25: ocserv adds no route to "
	       "this network behind a client, and nothing reaches it");
}

static void a_file_that_was_named_must_be_there(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	load(&config, case_text("seed"), "missing.conf");
	assert_false(look(&config, NULL, &report));
	assert_int_equal(report.status, EX_CONFIG);
	assert_line(&report.errors, "--ocserv-conf missing.conf: No such file or directory; name ocserv's configuration there or with ");
	report_free(&report);
	config_free(&config);
}

/* What the values of [clients] become, and where from: "VALUE|VALUE|VALUE"; the first error where there is one. */
static void expect_automatic(const char *clients, const char *address6, const char *ocserv_conf, const char *expected)
{
	static const enum config_key keys[] = { KEY_SUBNET4, KEY_SUBNET6, KEY_CLIENT_INTERFACE };
	struct text text CLEANUP(text_free) = { 0 }, found CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct config config;

	text_add(&text, "[clients]\n%s\n[gateway]\naddress4 = 172.28.0.2\naddress6 = %s\n", clients, address6);
	write_file("gateway.ini", text_string(&text));
	if (ocserv_conf)
		write_file("ocserv.conf", ocserv_conf);
	if (config_load(&config, "gateway.ini", "ocserv.conf", &report) < 0)
		text_add(&found, "%s", report.errors.line[0]);
	for (size_t i = 0; i < COUNT(keys) && report.status == 0; i++)
		text_add(&found, "%s%s%s", i ? "|" : "", config.setting[keys[i]].automatic ? "auto " : "",
			 config.setting[keys[i]].value ? config.setting[keys[i]].value : "unset");
	assert_string_equal(text_string(&found), expected);
	report_free(&report);
	config_free(&config);
}

#define AUTO "subnet4 = auto\nsubnet6 = AUTO\ninterface = Auto\n"

static void values_that_are_auto_are_those_of_ocserv_conf(void **state)
{
	(void)state;
	expect_automatic(AUTO, "fd00::1", "device = tun-\nipv4-network = 10.20.0.0/24\nipv6-network = fd20::/64\n",
			 "auto 10.20.0.0/24|auto fd20::/64|auto tun-*");
	/* As ocserv reads them: masked, of two entries, of virtual hosts, within each other. */
	expect_automatic(AUTO, "block", "device = \"vpns\"\nipv4-network = 10.20.0.7\nipv4-netmask = 255.255.255.0\n"
			 "ipv6-network = fd20::7\nipv6-prefix = 64\n[vhost:two]\nipv4-network = 10.30.0.0/16\n"
			 "[vhost:three]\nipv4-network = 10.30.4.0/24\n[vhost:four]\nipv4-network = 10.20.0.0/24\n",
			 "auto 10.20.0.0/24, 10.30.0.0/16|auto fd20::/64|auto vpns*");
	expect_automatic("subnet4 = auto\n", "block", "device = x\nipv4-network = 10.20.0.0/24\n",
			 "auto 10.20.0.0/24|unset|vpns*");
	expect_automatic("subnet4 = 10.1.0.0/16\nsubnet6 = auto\n", "block", "", "10.1.0.0/16|unset|vpns*");
	assert_int_equal(mkdir("users", 0700), 0);
	write_file("users/alice", "explicit-ipv4 = 10.40.0.1\nipv6-network = fd40::/64\n");
	write_file("users/bob", "explicit-ipv4 = 10.20.0.9\niroute = 192.168.50.0/24\niroute = fd50::/64\n");
	expect_automatic(AUTO, "block", "device = x\nipv4-network = 10.20.0.0/24\nconfig-per-user = users\n",
			 "auto 10.20.0.0/24, 10.40.0.1/32|auto fd40::/64|auto x*");
}

/* Each by itself, whatever else is wrong. */
static void all_that_can_not_be_auto_is_said(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("gateway.ini", "[clients]\n" AUTO "[gateway]\naddress4 = 172.28.0.2\n");
	write_file("ocserv.conf", "neither = here\n");
	assert_int_equal(config_load(&config, "gateway.ini", "ocserv.conf", &report), -1);
	assert_int_equal(report.errors.count, 2);
	assert_line(&report.errors, "subnet4 = auto: ocserv.conf has no ipv4-network");
	assert_line(&report.errors, "interface = Auto: ocserv.conf has no device");
	report_free(&report);
	config_free(&config);
}

static void what_ocserv_conf_does_not_say_can_not_be_auto(void **state)
{
	(void)state;
	expect_automatic("subnet4 = auto", "block", NULL, "gateway.ini:2: [clients] subnet4 = auto: can't read ocserv.conf: No "
			 "such file or directory; name ocserv's configuration in [clients] ocserv_conf");
	expect_automatic("subnet4 = auto", "block", "device = x\nipv4-network = neither\n",
			 "gateway.ini:2: [clients] subnet4 = auto: ocserv.conf has no ipv4-network");
	expect_automatic(AUTO, "fd00::1", "device = x\nipv4-network = 10.20.0.0/24\n",
			 "gateway.ini:3: [clients] subnet6 = AUTO: ocserv.conf has no ipv6-network");
	expect_automatic(AUTO, "block", "ipv4-network = 10.20.0.0/24\n",
			 "gateway.ini:4: [clients] interface = Auto: ocserv.conf has no device");
	expect_automatic(AUTO, "block", "device =\nipv4-network = 10.20.0.0/24\n",
			 "gateway.ini:4: [clients] interface = Auto: ocserv.conf has no device");
	expect_automatic("subnet4 = auto", "block", "device = x\nneither\nipv4-network = 10.20.0.0/24\n",
			 "gateway.ini:2: [clients] subnet4 = auto: ocserv.conf:2: is neither `name = value` nor [vhost:NAME]: ocserv "
			 "does not start with it; correct that line");
	/* What it says is checked as if it stood here. */
	expect_automatic(AUTO, "block", "device = a/b\nipv4-network = 10.20.0.0/24\n",
			 "gateway.ini:4: [clients] interface = auto (a/b*): must be an interface name of 1 to 15 characters "
			 "(A-Z a-z 0-9 _ . @ -), or the beginning of one and *, like vpns*");
	expect_automatic(AUTO, "block", "device = x\nipv4-network = 172.28.0.0/16\n",
			 "gateway.ini:7: [gateway] address4 = 172.28.0.2: is inside the client subnet 172.28.0.0/16; the "
			 "gateway must be another host");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(what_fits_is_passed_over),
		in_directory(a_pool_outside_the_subnets_is_an_error),
		in_directory(a_family_that_is_left_alone_may_have_any_pool),
		in_directory(without_subnet6_the_kill_switch_is_alone),
		in_directory(tunnels_with_another_name_are_an_error),
		in_directory(a_dns_server_that_is_this_host_is_told),
		in_directory(scripts_are_to_name_this_program),
		in_directory(a_firewall_script_needs_the_shim),
		in_directory(files_for_groups_and_users_are_read),
		in_directory(a_lan_behind_a_client_is_to_be_covered),
		in_directory(what_counts_for_all_stands_above_virtual_hosts),
		in_directory(what_is_not_read_as_it_looks_is_told),
		in_directory(a_file_that_was_named_must_be_there),
		in_directory(values_that_are_auto_are_those_of_ocserv_conf),
		in_directory(all_that_can_not_be_auto_is_said),
		in_directory(what_ocserv_conf_does_not_say_can_not_be_auto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
