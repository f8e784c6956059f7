/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys in README.md, from the table that the parser works by. */
#include "config.h"

#include <stdio.h>

int main(void)
{
	puts("| section, key | environment | default | meaning |\n|---|---|---|---|");
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		printf("| `[%s] %s` | %s%s%s | %s%s%s | %s |\n", key.section, key.name, key.environment ? "`" : "",
		       key.environment ? key.environment : "", key.environment ? "`" : "", key.fallback ? "`" : "",
		       key.fallback ? key.fallback : "unset", key.fallback ? "`" : "", key.help);
	}
	return 0;
}
