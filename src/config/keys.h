/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KEYS_H
#define KEYS_H

#include "base/text.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The keys. A parser reads @value into @field and says in @wrong what is wrong with it, as the end of
 * "KEY = VALUE: ".
 */
struct key {
	struct key_description is;
	bool (*parse)(const struct key *key, void *field, const char *value, struct text *wrong);
	size_t field;			/* of struct config, or with @of_each of struct gateway */
	const char *const *choices;
	int family;
	bool in_ocserv_conf;		/* its value may be `auto` */
	bool of_each;			/* gateway, in [gateway NAME] too */
};

extern const struct key keys[CONFIG_KEYS];

/* keys_find - the enum config_key of a name in a section; -1 for none */
int keys_find(const char *section, const char *name);

bool keys_section_known(const char *section);

/* keys_nearest - the key whose name, or with @by_section whose section, is nearest to @name; ties go to @section */
const struct key_description *keys_nearest(const char *section, const char *name, bool by_section);

/* keys_nearest_of_each - the same of those of [gateway NAME] */
const struct key_description *keys_nearest_of_each(const char *name);

#endif
