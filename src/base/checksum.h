/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The internet checksum (RFC 1071), in network byte order: 0 over what has a right one in it. */

uint16_t checksum(const void *data, size_t size);

/*
 * checksum_transport - with the pseudo-header of TCP, UDP and ICMPv6
 * @family: AF_INET, AF_INET6
 * @source, @destination: addresses of that family
 * @protocol: IPPROTO_...
 */
uint16_t checksum_transport(uint8_t family, const void *source, const void *destination, uint8_t protocol,
			    const void *data, size_t size);

#endif
