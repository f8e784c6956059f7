/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook.h"
#include "verbs.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCH_SECONDS 2
#define WATCH_SECONDS_MOST 86400
#define OPTION_MOVE 256		/* has no letter */

static const struct verb {
	const char *name;
	int (*run)(const struct options *options);
	int arguments;		/* at most */
	const char *help;
} verbs[] = {
	{ "check", verb_check, 0, "read the configuration; say what does not fit it, ocserv and this host" },
	{ "up", verb_up, 0, "install or repair routing and kill switch now" },
	{ "down", verb_down, 0, "remove what is ours" },
	{ "status", verb_status, 0, "what is installed, what is wrong, live sessions, drop counters" },
	{ "explain", verb_explain, 2, "ADDRESS|USER [DESTINATION]: what becomes of a client's packet now" },
};

static void print_help(void)
{
	printf("ocserv-gateway: send ocserv's clients through another VPN, with a kill switch\n\n"
	       "usage: ocserv-gateway [OPTION...] VERB\n"
	       "       REASON=connect ... ocserv-gateway [OPTION...]     as ocserv runs it\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	printf("\n  -c, --config FILE   instead of " SYSCONFDIR "/ocserv/gateway.ini\n"
	       "  -n, --dry-run       print what would be done, and do nothing: a shell script, or on a terminal a diff\n"
	       "  -d, --diff          with -n: a diff in any case\n"
	       "  -j, --json          status for programs, as --format json\n"
	       "  -f, --format FORMAT status as json, or prometheus for node_exporter's textfile collector\n"
	       "      --move          up: choose the gateway's interface anew, where it has moved to another one\n"
	       "  -w, --watch[=SECONDS]\n"
	       "                      status again and again (SECONDS else 2), until interrupted\n"
	       "  -o, --ocserv-conf FILE\n"
	       "                      check with this instead of " SYSCONFDIR "/ocserv/ocserv.conf\n"
	       "  -v, --verbose       log each change of the kernel, as a command\n"
	       "  -h, --help\n"
	       "  -V, --version\n\n"
	       "exit status: 0 done; 1 status found something wrong, check something to warn of, explain a drop or leak;\n"
	       "64 usage; 69 next_script failed; 71 the kernel refused; 73 state directory; 75 busy; 77 needs CAP_NET_ADMIN;\n"
	       "78 configuration\n");
}

static int usage_error(const char *message, const char *what)
{
	fprintf(stderr, "ocserv-gateway: error: %s%s; see ocserv-gateway --help\n", message, what);
	return EX_USAGE;
}

/* Descriptors 0 to 2 are open, lest a file of ours becomes one of them: ocserv may close the first. */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(EX_OSERR);
}

static int run_verb(char **words, int count, struct options *options)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].name, words[0]) != 0)
			continue;
		if (count - 1 > verbs[i].arguments)
			return usage_error("one verb is enough: ", words[verbs[i].arguments + 1]);
		if (options->move && verbs[i].run != verb_up)
			return usage_error("--move is for up alone", "");
		for (int j = 1; j < count; j++)
			options->argument[j - 1] = words[j];
		return verbs[i].run(options);
	}
	return usage_error("there is no verb ", words[0]);
}

static bool parse_seconds(const char *text, unsigned int *seconds)
{
	unsigned long long number = WATCH_SECONDS;

	if (text && !number_parse(text, 1, WATCH_SECONDS_MOST, &number))
		return false;
	*seconds = (unsigned int)number;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "config", required_argument, NULL, 'c' }, { "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },	    { "verbose", no_argument, NULL, 'v' },
		{ "ocserv-conf", required_argument, NULL, 'o' }, { "format", required_argument, NULL, 'f' },
		{ "diff", no_argument, NULL, 'd' },	    { "watch", optional_argument, NULL, 'w' },
		{ "move", no_argument, NULL, OPTION_MOVE },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { 0 };
	int option;

	open_standard_files();
	while ((option = getopt_long(argc, argv, "c:dnjf:o:w::vhV", long_options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 'd':
			options.diff = true;
			break;
		case OPTION_MOVE:
			options.move = true;
			break;
		case 'n':
			options.dry_run = true;
			break;
		case 'j':
			options.json = true;
			break;
		case 'f':
			if (strcmp(optarg, "json") != 0 && strcmp(optarg, "prometheus") != 0)
				return usage_error("the format is to be json or prometheus, not ", optarg);
			options.format = optarg;
			break;
		case 'o':
			options.ocserv_conf = optarg;
			break;
		case 'w':
			if (!parse_seconds(optarg, &options.watch))
				return usage_error("--watch takes seconds, 1 to 86400, not ", optarg);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			print_help();
			return EX_OK;
		case 'V':
			puts("ocserv-gateway " PACKAGE_VERSION);
			return EX_OK;
		default:
			return EX_USAGE;
		}
	}
	if (options.watch && (options.json || options.format))
		return usage_error("--watch is for people: without --json and --format", "");
	if (optind < argc)
		return run_verb(argv + optind, argc - optind, &options);
	if (options.move)
		return usage_error("--move is for up alone", "");
	if (getenv("REASON"))
		return hook_run(&options);
	return usage_error("no verb, and no REASON in the environment", "");
}
