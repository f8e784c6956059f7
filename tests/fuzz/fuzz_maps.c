/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name in the first line, and a file of [maps] of any bytes behind it. */
#include "config/maps.h"
#include "config/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file = -1;
static struct config config;

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct text text = { 0 };
	struct report report = { 0 };

	(void)argc, (void)argv;
	clearenv();
	file = memfd_create("users.map", MFD_CLOEXEC);
	if (file < 0 || fchmod(file, 0600) < 0)
		abort();
	text_add(&text, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway nl]\naddress4 = 172.28.0.4\n[gateway us]\naddress4 = 172.28.0.5\n"
		 "[session]\nstate_dir = /nowhere\n[maps]\nusers = /proc/self/fd/%d\n", file);
	require(config_try(&config, "gateway.ini", &text, &report) == 0, "the configuration is good");
	text_free(&text);
	return 0;
}

/* The second opinion: all lines, one by one, read in another way. Ends the name and the gateway in place. */
static bool take_line(char *line, char **name, bool *pattern, char **gateway)
{
	bool quoted;
	char *out;

	line += strspn(line, " \t\r");
	if (!*line || *line == '#')
		return false;
	quoted = *line == '"';
	*name = out = line += quoted;
	while (quoted ? *line != '"' : !strchr(" \t\r=", *line)) {
		line += quoted && *line == '\\';
		*out++ = *line++;
	}
	*gateway = line + quoted;
	*gateway += strspn(*gateway, " \t\r");
	*gateway += **gateway == '=';
	*gateway += strspn(*gateway, " \t\r");
	(*gateway)[strcspn(*gateway, " \t\r#")] = '\0';
	*out = '\0';
	*pattern = !quoted && strpbrk(*name, "*?");
	return true;
}

static const struct gateway *gateway_by_reading_all(char *content, const char *user)
{
	const struct gateway *exact = NULL, *fitting = NULL;
	char *line, *name, *word;
	bool pattern;

	if (strncmp(content, "\xef\xbb\xbf", 3) == 0)
		content += 3;
	while ((line = strsep(&content, "\n"))) {
		if (!take_line(line, &name, &pattern, &word))
			continue;
		require(config_gateway_named(&config, word), "each gateway of an accepted file is there");
		if (!pattern && strcmp(name, user) == 0) {
			require(!exact, "no name of an accepted file stands there twice");
			exact = config_gateway_named(&config, word);
		}
		if (pattern && !fitting && name_fits(name, strlen(name), user))
			fitting = config_gateway_named(&config, word);
	}
	return exact ? exact : fitting ? fitting : config_default(&config);
}

/* What a name is written as is read as that name. */
static void write_and_read(const char *user)
{
	struct text written = { 0 }, name = { 0 }, wrong = { 0 };
	bool pattern;

	name_add(&written, user, false);
	if (user[0] && !has_controls(user, strlen(user))) {
		require(name_read(&name, &pattern, written.data, written.length, &wrong), "a name that was written can be read");
		require(!pattern && strcmp(text_string(&name), user) == 0, "and is the same");
	}
	text_free(&written);
	text_free(&name);
	text_free(&wrong);
}

static void look_up(const char *user, char *content, bool accepted)
{
	const struct who who = { .user = user };
	struct report report = { 0 };
	struct text line = { 0 };
	const struct gateway *found = config_gateway_of(&config, &who, &line, &report);

	require(found == config_gateway_of(&config, &who, NULL, &report), "it is the same whether people ask or not");
	require(found || report.errors.count, "where there is no answer it is said why");
	require(!found || line.length, "what says so is said");
	if (accepted && user[0])
		require(found == gateway_by_reading_all(content, user), "it is what reading all lines gives");
	text_free(&line);
	report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	struct report report = { 0 };
	char *user, *content;
	size_t length;
	bool accepted;

	if (!end)
		return 0;
	user = strndup((const char *)data, (size_t)(end - data));
	length = size - (size_t)(end + 1 - data);
	content = calloc(length + 1, 1);
	if (!user || !content || ftruncate(file, 0) < 0 || pwrite(file, end + 1, length, 0) != (ssize_t)length)
		abort();
	memcpy(content, end + 1, length);
	accepted = maps_check(&config, &report) == 0;
	require(accepted == !report.errors.count && report.errors.count <= 21, "what is wrong is said, and not too much");
	require(maps_count(&config, OF_USER) <= length, "no more names than bytes");
	write_and_read(user);
	look_up(user, content, accepted);
	report_free(&report);
	free(content);
	free(user);
	return 0;
}
