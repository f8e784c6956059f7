/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "cli/hook.h"
#include "cli/verbs.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCH_SECONDS "2"
#define SECONDS_MOST 86400
#define OPTION_MOVE 'm'		/* these have no short form */
#define OPTION_WAIT 't'
#define OPTION_USER 'U'
#define OPTION_GROUP 'G'
#define OPTION_VHOST 'H'
#define HELP_COLUMN 23

/* The verbs, each with the letters of the options that it knows beside --help and --version. */
static const struct verb {
	const char *name;
	struct result (*run)(const struct options *options);
	int arguments;		/* at most */
	const char *options;
	const char *help;
} verbs[] = {
	{ "init", verb_init, 1, "co", "[GATEWAY]: write gateway.ini from ocserv.conf; asks for the gateway if none is given" },
	{ "check", verb_check, 0, "cojvUGH", "check gateway.ini against ocserv.conf and this host" },
	{ "up", verb_up, 0, "cndmtv", "install or repair routing and kill switch now" },
	{ "down", verb_down, 0, "cndv", "remove our rules, routes and nft table" },
	{ "status", verb_status, 0, "cjfswv", "what clients have, what is installed, what is wrong, live sessions, counters" },
	{ "explain", verb_explain, 2, "cjv", "ADDRESS|USER [DESTINATION]: what happens to a client's packet now" },
	{ "test", verb_test, 1, "cjv", "[USER|ADDRESS]: ask the gateway, and what is beyond it, as a client would" },
};

static const struct verb hook = { "a hook", hook_run, 0, "cndv", "REASON=connect ...: as ocserv runs it" };

static const struct known_option {
	const char *name;
	const char *form;	/* of the argument, with what leads to it */
	const char *help;
	int letter;
	int argument;		/* as struct option has it */
} known[] = {
	{ "config", " FILE", "instead of " SYSCONFDIR "/ocserv/gateway.ini", 'c', required_argument },
	{ "dry-run", "", "print what would be done, and do nothing: a shell script, or on a terminal a diff", 'n', no_argument },
	{ "diff", "", "with -n: always a diff", 'd', no_argument },
	{ "move", "", "choose the gateway's interface again, if it has moved to another one", OPTION_MOVE, no_argument },
	{ "wait", " SECONDS", "wait at most this long for the gateway's interface, if it is not there yet", OPTION_WAIT, required_argument },
	{ "json", "", "for programs", 'j', no_argument },
	{ "format", " FORMAT", "json, or prometheus for node_exporter's textfile collector", 'f', required_argument },
	{ "short", "", "one line, for a login banner or a monitor", 's', no_argument },
	{ "watch", " [SECONDS]", "again every SECONDS (default 2), until interrupted", 'w', optional_argument },
	{ "ocserv-conf", " FILE", "instead of " SYSCONFDIR "/ocserv/ocserv.conf", 'o', required_argument },
	{ "user", " NAME", "say where a session of this user would leave, and which line says so", OPTION_USER, required_argument },
	{ "group", " NAME", "with --user: and of this group", OPTION_GROUP, required_argument },
	{ "vhost", " NAME", "with --user: and of this virtual host", OPTION_VHOST, required_argument },
	{ "verbose", "", "log each change of the kernel, as a command; check: each value; status: counters that are 0", 'v', no_argument },
	{ "help", "", "this help; with a verb, what it does and its options", 'h', no_argument },
	{ "version", "", "the version", 'V', no_argument },
};

#define VERBS (sizeof(verbs) / sizeof(*verbs))
#define KNOWN (sizeof(known) / sizeof(*known))

/* What the command line says. */
struct command {
	struct options options;
	bool given[KNOWN];
	bool help, version;
	char **words;	/* what is no option, nor its argument, in its order */
	int count;
};

static int PRINTF(1, 2) usage_error(const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	/* A question is a remedy already. */
	log_line(LOG_LEVEL_ERROR, "%s%s", text_string(&message),
		 message.data[message.length - 1] == '?' ? "" : "; see ocserv-gateway --help");
	return EX_USAGE;
}

static bool has_short_form(const struct known_option *option)
{
	static const char letters[] = { OPTION_MOVE, OPTION_WAIT, OPTION_USER, OPTION_GROUP, OPTION_VHOST, '\0' };

	return !strchr(letters, option->letter);
}

static bool verb_knows(const struct verb *verb, int letter)
{
	return letter == 'h' || letter == 'V' || strchr(verb->options, letter);
}

static void print_option(const struct known_option *option)
{
	char letter[] = { '-', (char)option->letter, ',', '\0' }, name[HELP_COLUMN];

	snprintf(name, sizeof(name), "--%s%s", option->name, option->form);
	printf("  %-3s %-*s %s", has_short_form(option) ? letter : "", HELP_COLUMN - 4, name, option->help);
}

/* (check, status): the verbs that know an option, where not all do. */
static void print_verbs_of(const struct known_option *option)
{
	struct text names CLEANUP(text_free) = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < VERBS; i++)
		if (verb_knows(&verbs[i], option->letter))
			text_add(&names, "%s%s", count++ ? ", " : "", verbs[i].name);
	if (count < VERBS)
		printf(" (%s)", text_string(&names));
}

static void print_options(const struct verb *verb)
{
	putchar('\n');
	for (size_t i = 0; i < KNOWN; i++) {
		if (verb && !verb_knows(verb, known[i].letter))
			continue;
		print_option(&known[i]);
		if (!verb)
			print_verbs_of(&known[i]);
		putchar('\n');
	}
}

static void print_help(void)
{
	printf("ocserv-gateway: send ocserv's clients through another VPN, with a kill switch\n\n"
	       "usage: ocserv-gateway [OPTION...] VERB\n"
	       "       REASON=connect ... ocserv-gateway [OPTION...]     as ocserv runs it\n\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	print_options(NULL);
	printf("\nexit status: 0 done; 1 clients do not reach the gateway, or status found something wrong, check something to warn of,\n"
	       "explain a drop or leak, test no answer;\n"
	       "64 usage; 69 next_script failed; 71 the kernel refused; 73 state directory, or init's file; 75 busy; 77 needs CAP_NET_ADMIN;\n"
	       "78 configuration\n");
}

static int print_help_of(const struct verb *verb)
{
	if (verb) {
		printf("usage: ocserv-gateway [OPTION...] %s\n\n%s\n", verb->name, verb->help);
		print_options(verb);
	} else {
		print_help();
	}
	return EX_OK;
}

/* Descriptors 0 to 2 are open, lest a file of ours becomes one of them: ocserv may close the first. */
static void open_standard_files(void)
{
	struct pollfd files[] = { { .fd = STDIN_FILENO }, { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

	if (poll(files, sizeof(files) / sizeof(*files), 0) < 0)
		exit(EX_OSERR);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (files[fd].revents & POLLNVAL && open("/dev/null", O_RDWR) != fd)
			exit(EX_OSERR);
}

static int take_seconds(const struct known_option *option, const char *text, unsigned int *seconds)
{
	unsigned long long number = 0;

	if (!number_parse(text, 1, SECONDS_MOST, &number))
		return usage_error("--%s takes seconds, 1 to 86400, not %s", option->name, text);
	*seconds = (unsigned int)number;
	return EX_OK;
}

/* Keeps an option; an exit status where its argument is wrong. */
static int take_option(struct command *command, const struct known_option *option, const char *argument)
{
	struct options *options = &command->options;

	command->given[option - known] = true;
	switch (option->letter) {
	case 'c':
		options->config = argument;
		break;
	case 'd':
		options->diff = true;
		break;
	case OPTION_MOVE:
		options->move = true;
		break;
	case 'n':
		options->dry_run = true;
		break;
	case 'j':
		options->json = true;
		break;
	case 'f':
		if (strcmp(argument, "json") != 0 && strcmp(argument, "prometheus") != 0)
			return usage_error("--format must be json or prometheus, not %s", argument);
		options->format = argument;
		break;
	case 'o':
		options->ocserv_conf = argument;
		break;
	case 's':
		options->brief = true;
		break;
	case 'w':
		return take_seconds(option, argument ? argument : WATCH_SECONDS, &options->watch);
	case OPTION_WAIT:
		return take_seconds(option, argument, &options->wait);
	case OPTION_USER:
		options->user = argument;
		break;
	case OPTION_GROUP:
		options->group = argument;
		break;
	case OPTION_VHOST:
		options->vhost = argument;
		break;
	case 'v':
		options->verbose = true;
		break;
	case 'h':
		command->help = true;
		break;
	case 'V':
		command->version = true;
		break;
	}
	return EX_OK;
}

/* The nearest of @names, which has few edits, else NULL. */
static const char *did_you_mean(const char *word, const char *(*name_at)(size_t))
{
	size_t least = strlen(word) / 2 + 1;
	const char *best = NULL, *name;

	for (size_t i = 0; (name = name_at(i)); i++) {
		size_t distance = text_distance(word, name);

		if (distance < least && distance < strlen(name)) {
			least = distance;
			best = name;
		}
	}
	return best;
}

static const char *verb_name_at(size_t i)
{
	return i < VERBS ? verbs[i].name : NULL;
}

static const char *option_name_at(size_t i)
{
	return i < KNOWN ? known[i].name : NULL;
}

/* --jsno, or --json=x: @word as it was typed. */
static int unknown_long_option(const char *word)
{
	char *name = strndup(word, strcspn(word, "="));
	const char *near = name ? did_you_mean(name, option_name_at) : NULL;
	int status = near ? usage_error("unknown option --%s; did you mean --%s?", name, near) :
			    usage_error("unknown option --%s", word);

	free(name);
	return status;
}

static const struct known_option *option_of(int letter)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].letter == letter)
			return &known[i];
	return NULL;
}

/* What getopt(3) says of the option before argv[optind]; optopt is 0 where that is long and unknown. */
static int wrong_option(bool lacks_argument, char **argv)
{
	const struct known_option *option = option_of(optopt);
	const char *word = argv[optind - 1];

	if (!optopt)
		return unknown_long_option(word + strspn(word, "-"));
	if (!option || (!has_short_form(option) && word[1] != '-'))
		return usage_error("unknown option -%c", optopt);
	return usage_error("--%s %s argument", option->name, lacks_argument ? "needs an" : "takes no");
}

/* The argument of --watch may be a word of its own, as of other programs: the next one, since nothing is moved. */
static char *argument_of(const struct known_option *option, int argc, char **argv)
{
	if (option->argument == optional_argument && !optarg && optind < argc && isdigit((unsigned char)argv[optind][0]))
		return argv[optind++];
	return optarg;
}

/* In the place of words that have been read. */
static int keep_word(struct command *command, char *word)
{
	command->words[command->count++] = word;
	return EX_OK;
}

#define IN_ORDER "-"	/* of getopt(3): it returns 1 for a word. Else C libraries differ in where words are meanwhile */

static int take_options(struct command *command, int argc, char **argv)
{
	struct option long_options[KNOWN + 1] = { 0 };
	int found, status = EX_OK;

	for (size_t i = 0; i < KNOWN; i++)
		long_options[i] = (struct option){ known[i].name, known[i].argument, NULL, known[i].letter };
	opterr = 0;
	while (status == EX_OK && (found = getopt_long(argc, argv, IN_ORDER ":c:dnjf:o:sw::vhV", long_options, NULL)) >= 0) {
		const struct known_option *option = found == '?' || found == ':' ? NULL : option_of(found);

		status = option     ? take_option(command, option, argument_of(option, argc, argv)) :
			 found == 1 ? keep_word(command, optarg) :
				      wrong_option(found == ':', argv);
	}
	for (; optind < argc; optind++)
		keep_word(command, argv[optind]);
	return status;
}

/* Options that go together with others, or do not. */
static int check_options(const struct command *command, const struct verb *verb)
{
	const struct options *options = &command->options;

	for (size_t i = 0; i < KNOWN; i++)
		if (command->given[i] && !verb_knows(verb, known[i].letter))
			return usage_error("--%s is not an option of %s", known[i].name, verb->name);
	if (options->diff && !options->dry_run)
		return usage_error("--diff needs --dry-run");
	if ((options->group || options->vhost) && !options->user)
		return usage_error("--group and --vhost need --user");
	if (options->wait && options->dry_run)
		return usage_error("--wait and --dry-run can't be combined");
	if (options->watch && (options->json || options->format))
		return usage_error("--watch can't be combined with --json or --format");
	if (options->brief && (options->watch || options->json || options->format))
		return usage_error("--short can't be combined with --watch, --json or --format");
	if (options->json && options->format && strcmp(options->format, "json") != 0)
		return usage_error("use either --json or --format %s, not both", options->format);
	return EX_OK;
}

static int exit_status(struct result result)
{
	return result.error ? result.error : result.bad_news ? 1 : EX_OK;
}

static int run_verb(const struct verb *verb, struct command *command, char **words, int count)
{
	int status;

	if (command->help)
		return print_help_of(verb);
	if (count > verb->arguments)
		return usage_error("unexpected argument '%s'", words[verb->arguments]);
	status = check_options(command, verb);
	if (status != EX_OK)
		return status;
	for (int i = 0; i < count; i++)
		command->options.argument[i] = words[i];
	return exit_status(verb->run(&command->options));
}

static int run_word(struct command *command, char **words, int count)
{
	const char *near;

	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, words[0]) == 0)
			return run_verb(&verbs[i], command, words + 1, count - 1);
	near = did_you_mean(words[0], verb_name_at);
	return near ? usage_error("unknown verb %s; did you mean %s?", words[0], near) :
		      usage_error("unknown verb %s", words[0]);
}

int main(int argc, char **argv)
{
	struct command command = { .words = argv + (argc > 0) };
	int status;

	open_standard_files();
	status = take_options(&command, argc, argv);
	if (status != EX_OK)
		return status;
	if (command.version) {
		puts("ocserv-gateway " PACKAGE_VERSION);
		return EX_OK;
	}
	if (command.count > 0)
		return run_word(&command, command.words, command.count);
	if (command.help)
		return print_help_of(NULL);
	if (getenv("REASON"))
		return run_verb(&hook, &command, NULL, 0);
	return usage_error("no verb given, and no REASON in the environment");
}
