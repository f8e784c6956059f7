/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GATEWAYS_H
#define GATEWAYS_H

#include "config/config.h"

/* What [gateway NAME] is, beside its values: see config.h for the rest. */

/*
 * gateway_name_read - a name as lines have it: a - is written as _
 *
 * Returns false with the reason in @wrong, as the end of "[gateway NAME]: ".
 */
bool gateway_name_read(char name[GATEWAY_NAME], const char *written, struct text *wrong);

/* gateways_find - NULL where there is none; "default" is [gateway] */
struct gateway *gateways_find(struct config *config, const char *name);

/*
 * gateways_add - one more, with its defaults
 * @name: as gateway_name_read() has it, which no other has
 *
 * Returns NULL where there are CONFIG_GATEWAYS.
 */
struct gateway *gateways_add(struct config *config, const char *name, unsigned int line);

/* gateways_settle - what nobody says: a family is blocked, and a table is the next free one */
void gateways_settle(struct config *config);

/* gateways_check - each alone, and all together; -1 with all that is wrong in @report */
int gateways_check(const struct config *config, struct report *report);

void gateways_free(struct config *config);

#endif
