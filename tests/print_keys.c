/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration, from the table that the parser works by: the table of docs/configuration.md, or with
 * `mdoc` the list of gateway.ini(5).
 */
#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MDOC_COLUMNS 70	/* mandoc -T lint complains of more than 80 bytes, with escapes */

static void print_markdown(void)
{
	puts("| section, key | environment | default | meaning |\n|---|---|---|---|");
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		printf("| `[%s] %s` | %s%s%s | %s%s%s | %s |\n", key.section, key.name, key.environment ? "`" : "",
		       key.environment ? key.environment : "", key.environment ? "`" : "", key.fallback ? "`" : "",
		       key.fallback ? key.fallback : "unset", key.fallback ? "`" : "", key.help);
	}
}

/* Text lines of mdoc, of which each begins with no character that would make it a macro. */
static void print_sentence(const char *text)
{
	size_t column = 0;

	for (const char *c = text; *c; c++, column++) {
		if (*c == ' ' && column + strcspn(c + 1, " ") > MDOC_COLUMNS) {
			column = 0;
			putchar('\n');
			continue;
		}
		if (*c == '\\')
			printf("\\e");
		else if (*c == '`')
			printf("\\(ga");
		else
			putchar(c == text ? toupper((unsigned char)*c) : *c);
	}
	puts(".");
}

static void print_mdoc(void)
{
	const char *section = "";

	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (strcmp(section, key.section) != 0)
			printf("%s.Ss [%s]\\&\n.Bl -tag -width Ds\n", section[0] ? ".El\n" : "", key.section);
		section = key.section;
		printf(".It Cm %s\n", key.name);
		print_sentence(key.help);
		if (key.fallback)
			printf("Default:\n.Ql %s .\n", key.fallback);
		else
			puts("Default: unset.");
		if (key.environment)
			printf("Environment:\n.Ev %s .\n", key.environment);
	}
	puts(".El");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "mdoc") == 0)
		print_mdoc();
	else
		print_markdown();
	return 0;
}
