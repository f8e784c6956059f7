/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "base/privileges.h"
#include "cli/verbs.h"
#include "diagnose/ocserv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define ANSWER_SHOWN 60		/* bytes of what was given for a gateway that a message quotes */
#define SUBNETS_SHOWN 200	/* bytes of the subnets that a comment names */

/* What clients are to leave via, as it was given. */
struct answer {
	struct address address[FAMILIES];	/* AF_UNSPEC where none of the family was given */
	char interface[IFNAMSIZ];		/* that leads there itself; "" where an address was given */
};

/* The file to be written, and what it is made from. */
struct draft {
	const char *path;
	struct ocserv ocserv;
	char *ocserv_conf;		/* NULL where it is the usual one */
	bool pools[FAMILIES];		/* that ocserv.conf has any of the family */
	struct answer answer;
};

/* What is given for the gateway */

static bool looks_like_address(const char *word)
{
	return strchr(word, ':') || strchr(word, '/') || word[strspn(word, "0123456789.")] == '\0';
}

static bool take_address(struct answer *answer, const char *word, struct text *wrong)
{
	struct address address, *kept;

	if (!address_parse(&address, word)) {
		text_add(wrong, "'%.*s' is not an address; write one like 172.28.0.2 or fd28::2", ANSWER_SHOWN, word);
		return false;
	}
	if (!address_is_usable(&address)) {
		text_add(wrong, "%s can't be the address of a gateway", word);
		return false;
	}
	kept = &answer->address[family_index(address.family)];
	if (kept->family != AF_UNSPEC) {
		text_add(wrong, "name one %s address only", family_name(family_index(address.family)));
		return false;
	}
	*kept = address;
	return true;
}

static bool take_interface(struct answer *answer, const char *word, struct text *wrong)
{
	unsigned int index = interface_name_valid(word) ? if_nametoindex(word) : 0;
	char own[IFNAMSIZ];

	if (!index || !if_indextoname(index, own)) {
		text_add(wrong, "'%.*s' is neither an address nor an interface of this host; write an address like 172.28.0.2, or bring "
			 "the interface up first", ANSWER_SHOWN, word);
		return false;
	}
	/* It was given by another name of it. */
	memcpy(answer->interface, own, sizeof(own));
	return true;
}

/* 172.28.0.2, fd28::2, both with a comma between them, or wg0 */
static bool parse_answer(struct answer *answer, const char *given, struct text *wrong)
{
	char *list = duplicate(given), *save = NULL, *word = strtok_r(list, ", \t", &save), *next = NULL;
	bool ok = word;

	*answer = (struct answer){ .interface = "" };
	if (!word)
		text_add_string(wrong, "the gateway is empty; write an address like 172.28.0.2, or an interface like wg0");
	for (bool first = true; ok && word; word = next, first = false) {
		next = strtok_r(NULL, ", \t", &save);
		ok = !first || next || looks_like_address(word) ? take_address(answer, word, wrong) :
								  take_interface(answer, word, wrong);
	}
	free(list);
	return ok;
}

/* Says what is wrong with an answer, so that it is asked again. */
static bool is_answer(struct answer *answer, char *line)
{
	struct text wrong CLEANUP(text_free) = { 0 };

	line[strcspn(line, "\r\n")] = '\0';
	if (parse_answer(answer, line, &wrong))
		return true;
	log_line(LOG_LEVEL_ERROR, "%s", text_string(&wrong));
	return false;
}

static int ask(struct answer *answer, struct report *report)
{
	char *line = NULL;
	size_t size = 0;
	bool given, ok;

	puts("Where are clients to leave? Give the gateway's IPv4 address, on a network of this host (172.28.0.2), or its IPv6\n"
	     "address, or both with a comma between them; or the interface of a tunnel of this host (wg0).");
	do {
		fputs("gateway: ", stdout);
		fflush(stdout);
		given = getline(&line, &size, stdin) >= 0;
		ok = given && is_answer(answer, line);
	} while (given && !ok);
	free(line);
	return ok ? 0 : report_error(report, EX_USAGE, "init: no gateway was given, so nothing was written");
}

static int take_gateway(struct draft *draft, const char *given, struct report *report)
{
	struct text wrong CLEANUP(text_free) = { 0 };

	if (!given)
		return ask(&draft->answer, report);
	if (parse_answer(&draft->answer, given, &wrong))
		return 0;
	return report_error(report, EX_USAGE, "init: %s", text_string(&wrong));
}

/* ocserv's configuration */

static void note_pool(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *pool, void *data)
{
	struct draft *draft = data;

	(void)conf;
	(void)entry;
	draft->pools[family_index(pool->address.family)] = true;
}

static void note_pools(const struct ocserv_conf *conf, void *data)
{
	ocserv_conf_visit_pools(conf, note_pool, data);
}

/* What may stand behind a key, and is the same when it is read: also of a process that is called ocserv. */
static bool can_be_written(const char *path)
{
	for (const char *c = path; *c; c++)
		if (iscntrl((unsigned char)*c) || strchr("\"';#", *c))
			return false;
	return path[0] == '/' && path[strlen(path) - 1] != ' ';
}

/* The file as gateway.ini is to name it. One that is seen by /proc alone is gone with its process. */
static int name_ocserv_conf(struct draft *draft, struct report *report)
{
	const char *path = draft->ocserv.conf.path;

	draft->ocserv_conf = realpath(path, NULL);
	if (strcmp(path, OCSERV_CONF) == 0 || (draft->ocserv_conf && strcmp(draft->ocserv_conf, OCSERV_CONF) == 0)) {
		free(draft->ocserv_conf);
		draft->ocserv_conf = NULL;
		return 0;
	}
	if (draft->ocserv_conf && can_be_written(draft->ocserv_conf) && strncmp(path, "/proc/", 6) != 0)
		return 0;
	return report_error(report, EX_CONFIG, "init: ocserv's configuration %s can't be named in gateway.ini; name the file "
			    "itself with --ocserv-conf", path);
}

static int check_ocserv_conf(struct draft *draft, const char *asked, struct report *report)
{
	const struct ocserv_conf *conf = &draft->ocserv.conf;

	if (draft->ocserv.error)
		return report_error(report, EX_CONFIG, "init: %s: %s; %s", asked, strerror(draft->ocserv.error),
				    privileges_remedy(draft->ocserv.error, "name ocserv's configuration with --ocserv-conf"));
	if (conf->fault)
		return report_error(report, EX_CONFIG, "%s:%u: is neither `name = value` nor [vhost:NAME]: ocserv does not start "
				    "with it; correct that line", conf->path, conf->fault);
	note_pools(conf, draft);
	ocserv_conf_visit_named(conf, note_pools, draft);
	if (!draft->pools[IPV4] && !draft->pools[IPV6])
		return report_error(report, EX_CONFIG, "%s has no ipv4-network and no ipv6-network, from which clients get their "
				    "addresses; write them there, or, where RADIUS gives them out, write %s yourself (see the "
				    "sample)", conf->path, draft->path);
	return name_ocserv_conf(draft, report);
}

/* As check finds it. */
static int read_ocserv_conf(struct draft *draft, const char *named, struct report *report)
{
	const char *path = named ? named : OCSERV_CONF;
	struct config config = { .ocserv_conf = (char *)path };	/* borrowed */

	config.setting[KEY_OCSERV_CONF].origin = named ? FROM_OPTION : FROM_DEFAULT;
	ocserv_find(&draft->ocserv, &config);
	return check_ocserv_conf(draft, path, report);
}

/* The file */

/* A value that follows ocserv.conf, with what it is now; @fallback where ocserv.conf says nothing. */
static void add_automatic(struct text *file, const struct config *now, enum config_key key, bool there, const char *fallback)
{
	struct key_description is;
	const char *value = there ? now->setting[key].value : NULL;

	config_describe_key(key, &is);
	if (there)
		text_add(file, "; When this was written: %.*s%s\n%s = auto\n", SUBNETS_SHOWN, value ? value : "none",
			 value && strlen(value) > SUBNETS_SHOWN ? "..." : "", is.name);
	else
		text_add(file, ";%s = %s\n", is.name, fallback);
}

static void add_clients(struct text *file, const struct draft *draft, const struct config *now)
{
	const struct ocserv_entry *device = ocserv_conf_find(&draft->ocserv.conf, "", "device");

	text_add_string(file, "[clients]\n; auto: all pools in ocserv.conf, also those of virtual hosts, groups and users.\n");
	add_automatic(file, now, KEY_SUBNET4, draft->pools[IPV4], "10.20.0.0/24");
	add_automatic(file, now, KEY_SUBNET6, draft->pools[IPV6], "fd20:aaaa:bbbb:1::/64");
	text_add_string(file, "\n; The tunnels of clients: ocserv's device followed by *.\n");
	add_automatic(file, now, KEY_CLIENT_INTERFACE, device && device->value[0], "vpns*");
	if (draft->ocserv_conf)
		text_add(file, "\nocserv_conf = %s\n", draft->ocserv_conf);
}

static void add_link(struct text *file, const char *interface)
{
	text_add(file, "; The interface itself leads to the gateway.\naddress4 = link\ninterface = %s\n"
		 "; Clients' IPv6 is blocked. If the interface has an IPv6 address:\n;address6 = link\n", interface);
}

static void add_next_hop(struct text *file, const struct draft *draft, int family)
{
	char text[ADDRESS_TEXT];
	const char *name = family_name(family);
	int number = family == IPV4 ? 4 : 6;

	if (draft->answer.address[family].family == AF_UNSPEC)
		text_add(file, "; Clients' %s is blocked.\n;address%d = ADDRESS\n", name, number);
	else
		text_add(file, "; The next hop of clients' %s, on a network of this host.\naddress%d = %s\n", name, number,
			 address_text(&draft->answer.address[family], text));
}

static void compose(struct text *file, const struct draft *draft, const struct config *now)
{
	text_add_string(file, "; Configuration of ocserv-gateway. gateway.ini(5) describes all keys. After an edit: ocserv-gateway check, then\n"
			      "; ocserv-gateway up.\n\n");
	add_clients(file, draft, now);
	text_add_string(file, "\n[gateway]\n");
	if (draft->answer.interface[0]) {
		add_link(file, draft->answer.interface);
	} else {
		add_next_hop(file, draft, IPV4);
		add_next_hop(file, draft, IPV6);
	}
}

/* Composed twice: what auto is now, the configuration itself says. */
static int make_file(struct text *file, const struct draft *draft, struct report *report)
{
	struct text first CLEANUP(text_free) = { 0 };
	const struct config nothing = { .path = NULL };
	struct config config;
	int result;

	compose(&first, draft, &nothing);
	result = config_try(&config, draft->path, &first, report);
	if (result == 0)
		compose(file, draft, &config);
	config_free(&config);
	return result;
}

static int can_not_write(const struct draft *draft, int error, struct report *report)
{
	if (error == EEXIST)
		return report_error(report, EX_CANTCREAT, "init: %s already exists and is left as it is; edit it, or move it away "
				    "first", draft->path);
	return report_error(report, EX_CANTCREAT, "init: can't write %s: %s; %s", draft->path, strerror(error),
			    error == ENOENT ? "create its directory first, or name another file with -c" :
			    privileges_remedy(error, "correct that, or name another file with -c"));
}

static int fill(int fd, const struct text *file)
{
	for (size_t done = 0; done < file->length; ) {
		ssize_t written = write(fd, file->data + done, file->length - done);

		if (written < 0 && errno != EINTR)
			return -1;
		done += written > 0 ? (size_t)written : 0;
	}
	return fchown(fd, 0, 0) < 0 || fchmod(fd, 0600) < 0 ? -1 : fsync(fd);
}

/* Completely or not at all, and without replacing a file that appeared meanwhile. */
static int write_file(const struct draft *draft, const struct text *file, struct report *report)
{
	struct text name CLEANUP(text_free) = { 0 };
	int fd, error = 0;

	text_add(&name, "%s.XXXXXX", draft->path);
	fd = mkostemp(name.data, O_CLOEXEC);
	if (fd < 0)
		return can_not_write(draft, errno, report);
	if (fill(fd, file) < 0 || link(name.data, draft->path) < 0)
		error = errno;
	close(fd);
	unlink(name.data);
	return error ? can_not_write(draft, error, report) : 0;
}

/* What comes next */

/* A command of ours with the file that was named. */
static void add_command(struct text *text, const struct options *options, const char *verb)
{
	text_add(text, "       ocserv-gateway %s", verb);
	if (options->config) {
		text_add_string(text, " -c ");
		text_add_shell(text, options->config);
	}
	text_add_string(text, "\n");
}

static bool names_script(const struct ocserv_conf *conf, const char *key, const char *script)
{
	const struct ocserv_entry *entry = ocserv_conf_find(conf, "", key);

	return entry && strcmp(entry->value, script) == 0;
}

/* The lines of ocserv.conf, where it has them not yet. */
static void add_script_lines(struct text *text, const struct draft *draft)
{
	const struct ocserv_conf *conf = &draft->ocserv.conf;
	struct text script CLEANUP(text_free) = { 0 };

	ocserv_script(conf, &script);
	if (names_script(conf, "connect-script", text_string(&script)) &&
	    names_script(conf, "disconnect-script", text_string(&script)))
		return;
	text_add(text, " - write into %s, above any [vhost:NAME], replacing any lines with these names:\n"
		 "       connect-script = %s\n       disconnect-script = %s\n", conf->path, text_string(&script),
		 text_string(&script));
}

static void print_next(const struct draft *draft, const struct options *options)
{
	struct text next CLEANUP(text_free) = { 0 };
	char *path = realpath(draft->path, NULL);

	text_add_string(&next, "\nNext:\n");
	add_script_lines(&next, draft);
	if (strcmp(draft->path, config_path(NULL)) != 0)
		text_add(&next, " - set OCSERV_GATEWAY_CONFIG=%s in ocserv's environment, else its hooks read %s\n",
			 path ? path : draft->path, config_path(NULL));
	free(path);
	text_add_string(&next, " - fix what check finds until it says ok, and see what would be done:\n");
	add_command(&next, options, "check");
	add_command(&next, options, "up --dry-run");
	text_add_string(&next, " - restart ocserv:\n       systemctl restart ocserv\n");
	fputs(text_string(&next), stdout);
}

static void show(const struct draft *draft, const struct options *options)
{
	const struct options check = { .config = options->config };

	printf("%s was written. ocserv-gateway check says:\n\n", draft->path);
	fflush(stdout);
	verb_check(&check);
	print_next(draft, options);
}

static int may_begin(const struct draft *draft, const char *given, struct report *report)
{
	struct stat status;

	if (!given && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return report_error(report, EX_USAGE, "init: no gateway was given, and there is no terminal to ask on; write "
				    "`ocserv-gateway init GATEWAY`, with an address like 172.28.0.2 or an interface like wg0");
	if (geteuid() != 0)
		return report_error(report, EX_NOPERM, "init: %s must belong to root; run it as root", draft->path);
	if (lstat(draft->path, &status) == 0)
		return can_not_write(draft, EEXIST, report);
	return 0;
}

/* Reads ocserv.conf before it asks, so that nobody types in vain. */
static int write_draft(struct draft *draft, const struct options *options, struct report *report)
{
	struct text file CLEANUP(text_free) = { 0 };
	int result = may_begin(draft, options->argument[0], report);

	deadline_start(DEADLINE_EXAMINE_SECONDS);
	if (result == 0)
		result = read_ocserv_conf(draft, options->ocserv_conf, report);
	deadline_stop();
	if (result == 0)
		result = take_gateway(draft, options->argument[0], report);
	deadline_start(DEADLINE_EXAMINE_SECONDS);
	if (result == 0)
		result = make_file(&file, draft, report);
	if (result == 0)
		result = write_file(draft, &file, report);
	deadline_stop();
	return result;
}

struct result verb_init(const struct options *options)
{
	struct draft draft = { .path = config_path(options->config) };
	struct report report = { 0 };
	int result = write_draft(&draft, options, &report), status = report.status;

	/* What else there is to say, check does. */
	if (result == 0)
		show(&draft, options);
	else
		report_log(&report);
	report_free(&report);
	ocserv_free(&draft.ocserv);
	free(draft.ocserv_conf);
	return (struct result){ .error = status };
}
