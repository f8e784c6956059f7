/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/checksum.h"
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t add(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

uint16_t checksum(const void *data, size_t size)
{
	return fold(add(0, data, size));
}

uint16_t checksum_transport(uint8_t family, const void *source, const void *destination, uint8_t protocol,
			    const void *data, size_t size)
{
	uint64_t sum = add(add(protocol + size, source, address_size(family)), destination, address_size(family));

	return fold(add(sum, data, size));
}
