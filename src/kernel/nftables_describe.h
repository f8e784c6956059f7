/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_DESCRIBE_H
#define NFTABLES_DESCRIBE_H

#include "base/text.h"
#include "kernel/nftables_batch.h"

#include <stdint.h>

/*
 * nftables_describe - what the kernel refused: the object of the batch's message with @sequence, in words
 * @offset: of the attribute at fault, 0 where the kernel did not say; names the expression then, and the module it needs
 */
void nftables_describe(struct text *text, const struct nftables_batch *batch, uint32_t sequence, uint32_t offset);

#endif
