/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/kernel.h"

#include <stdlib.h>

static void chain_free(struct present_chain *chain)
{
	for (size_t i = 0; i < chain->rules; i++) {
		text_free(&chain->rule[i].code);
		free(chain->rule[i].comment);
	}
	free(chain->rule);
	free(chain->name);
	free(chain->type);
}

void kernel_free(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->rules; i++)
		rule_free(&kernel->rule[i]);
	for (size_t i = 0; i < kernel->routes; i++)
		route_free(&kernel->route[i]);
	for (size_t i = 0; i < kernel->guard.chains; i++)
		chain_free(&kernel->guard.chain[i]);
	free(kernel->rule);
	free(kernel->route);
	free(kernel->neighbour);
	for (size_t i = 0; i < kernel->guard.sets; i++)
		free(kernel->guard.set[i].bound);
	free(kernel->guard.chain);
	free(kernel->guard.set);
	*kernel = (struct kernel){ 0 };
}
