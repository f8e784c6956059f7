/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_TEXT INET6_ADDRSTRLEN
#define PREFIX_TEXT (INET6_ADDRSTRLEN + 4)

/* The two families, as an index of arrays. */
enum { IPV4, IPV6, FAMILIES };

struct address {
	uint8_t family;		/* AF_INET, AF_INET6; AF_UNSPEC where there is none */
	uint8_t bytes[16];	/* network byte order; an IPv4 address fills the first four */
};

struct prefix {
	struct address address;
	uint8_t length;		/* bits */
};

/* The hardware address of an Ethernet interface. */
struct mac {
	bool known;
	uint8_t bytes[6];
};

#define MAC_TEXT 18	/* bytes of one in words with its NUL: 02:00:00:00:00:02 */

/* family_index - the index of AF_INET or AF_INET6; family_of - the other way round; family_name - "IPv4" or "IPv6" */
int family_index(uint8_t family);
uint8_t family_of(int index);
const char *family_name(int index);

/* address_size - bytes of an address of that family: 4 or 16 */
unsigned int address_size(uint8_t family);

/* address_parse - an IPv4 or IPv6 address without scope; false where @text is none */
bool address_parse(struct address *address, const char *text);

/* address_parse_unscoped - the same, less a scope: ocserv 1.1.6 appends a random one, fd20::1%3318224896 */
bool address_parse_unscoped(struct address *address, const char *text);

/* prefix_parse - ADDRESS/LENGTH; false where @text is none. Host bits are kept: see prefix_mask. */
bool prefix_parse(struct prefix *prefix, const char *text);

/* netmask_length - the length that a dotted netmask stands for, 0 to 32; UINT8_MAX where @text is none */
unsigned int netmask_length(const char *text);

/* prefix_parse_written - the same, and IPv4's ADDRESS/NETMASK, as people and ocserv write it */
bool prefix_parse_written(struct prefix *prefix, const char *text);

/* prefix_ones - the mask of a length: 255.255.255.0 */
struct address prefix_ones(uint8_t family, uint8_t length);

/* prefix_mask - the prefix with its host bits cleared */
struct prefix prefix_mask(const struct prefix *prefix);

const char *address_text(const struct address *address, char text[ADDRESS_TEXT]);
const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT]);

bool address_equal(const struct address *a, const struct address *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct address *address);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* prefix_is_private - whether all of it is a private network, which nobody else on the internet has */
bool prefix_is_private(const struct prefix *prefix);
bool address_is_link_local(const struct address *address);

/* mac_parse - six octets in hexadecimal with : or - between them, of one station; false where @text is none */
bool mac_parse(struct mac *mac, const char *text);
const char *mac_text(const struct mac *mac, char text[MAC_TEXT]);
bool mac_equal(const struct mac *a, const struct mac *b);

/* address_is_usable - false for the unspecified, loopback, multicast and broadcast addresses */
bool address_is_usable(const struct address *address);

#endif
