/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/image.h"
#include "config/assigned.h"
#include "config/file.h"
#include "config/gateways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN 4300	/* of a file's line, in words */
#define FILE_SIZE_MAX 1048576
#define BLANKS " \t\r"

/* A variable, NULL where it is empty. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* @text without the blanks around it, in its place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* Each NAME=VALUE of a list with commas. */
static void visit_pairs(struct reading *reading, const char *name,
			void (*visit)(struct reading *reading, const char *variable, const char *name, const char *value))
{
	const char *list = variable(name);
	char *copy = duplicate(list ? list : ""), *save = NULL;

	for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(item, '=');
		char origin[64];

		snprintf(origin, sizeof(origin), "environment: %s", name);
		if (!trim(item)[0])
			continue;
		if (equals)
			*equals = '\0';
		if (!equals || !trim(item)[0] || !trim(equals + 1)[0])
			reading_error(reading, origin, "'%.60s' is no NAME=GATEWAY; write a list such as nl=172.28.0.4,us=172.28.0.5, "
				      "of users alice=nl,bob=us", item);
		else
			visit(reading, name, trim(item), trim(equals + 1));
	}
	free(copy);
}

/* The gateway of a name, be it new. */
static struct gateway *gateway_of(struct reading *reading, const char *origin, const char *written)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct gateway *gateway = NULL;
	char name[GATEWAY_NAME];

	if (!gateway_name_read(name, written, &wrong)) {
		reading_error(reading, origin, "%.60s: %s", written, text_string(&wrong));
		return NULL;
	}
	gateway = gateways_find(reading->config, name);
	if (!gateway)
		gateway = gateways_add(reading->config, name, 0);
	if (!gateway)
		reading_error(reading, origin, "%s is one gateway too many; %d with names is the most", name, CONFIG_GATEWAYS - 1);
	return gateway;
}

static void take_address(struct reading *reading, const char *origin, const char *name, int family, struct setting setting)
{
	struct gateway *gateway = gateway_of(reading, origin, name);
	enum config_key key = config_address_key(family);

	if (gateway && gateway->setting[key].place == setting.place)
		reading_error(reading, origin, "%s stands there twice; keep one of them", name);
	else if (gateway)
		reading_take(reading, gateway, key, setting);
}

static void take_pair(struct reading *reading, const char *variable_name, const char *name, const char *value)
{
	char origin[64];

	snprintf(origin, sizeof(origin), "environment: %s", variable_name);
	take_address(reading, origin, name, strcmp(variable_name, "VPN_GATEWAYS6") == 0 ? IPV6 : IPV4,
		     (struct setting){ .value = (char *)value, .origin = FROM_ENVIRONMENT, .place = variable_name });
}

/* NAME IPV4 [IPV6], or NAME=IPV4 [IPV6] */
static void take_line(struct reading *reading, const char *path, unsigned int number, char *line)
{
	static const char separators[] = BLANKS "=";
	char *save = NULL, *name, *address[FAMILIES];
	char origin[ORIGIN];

	line[strcspn(line, "#")] = '\0';
	name = strtok_r(line, separators, &save);
	if (!name)
		return;
	for (int family = 0; family < FAMILIES; family++)
		address[family] = strtok_r(NULL, separators, &save);
	snprintf(origin, sizeof(origin), "%s:%u", path, number);
	if (!address[IPV4] || strtok_r(NULL, separators, &save)) {
		reading_error(reading, origin, "is no NAME IPV4 [IPV6], such as nl 172.28.0.4 block");
		return;
	}
	for (int family = 0; family < FAMILIES && address[family]; family++)
		take_address(reading, origin, name, family, (struct setting){
			.value = address[family], .origin = FROM_FILE, .place = path, .line = number });
}

static void read_file(struct reading *reading, const char *path)
{
	struct text wrong CLEANUP(text_free) = { 0 }, file CLEANUP(text_free) = { 0 };
	unsigned int number = 0;
	char *rest, *line;

	if (path[0] != '/')
		reading_error(reading, "environment: VPN_GATEWAYS_FILE", "%s must be an absolute path, beginning with /", path);
	else if (!file_read(path, FILE_SIZE_MAX, &file, &wrong))
		reading_error(reading, "environment: VPN_GATEWAYS_FILE", "%s: %s", path, text_string(&wrong));
	else if (file.length && memchr(file.data, '\0', file.length))
		reading_error(reading, path, "holds control characters; is this a text file?");
	else
		for (rest = file.data; (line = strsep(&rest, "\n")); )
			take_line(reading, path, ++number, line);
}

void image_read_gateways(struct reading *reading)
{
	const char *path = variable("VPN_GATEWAYS_FILE");

	visit_pairs(reading, "VPN_GATEWAYS", take_pair);
	visit_pairs(reading, "VPN_GATEWAYS6", take_pair);
	if (path)
		read_file(reading, path);
}

/* Quotes are none here: a name is what stands there. */
static void take_user(struct reading *reading, const char *variable_name, const char *name, const char *value)
{
	assigned_add_plain(reading->config, OF_USER, name, value);
	(void)variable_name;
}

void image_read_users(struct reading *reading)
{
	visit_pairs(reading, "VPN_USER_GATEWAY", take_user);
}
