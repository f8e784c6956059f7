/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/address.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

int family_index(uint8_t family)
{
	return family == AF_INET ? IPV4 : IPV6;
}

uint8_t family_of(int index)
{
	return index == IPV4 ? AF_INET : AF_INET6;
}

const char *family_name(int index)
{
	return index == IPV4 ? "IPv4" : "IPv6";
}

unsigned int address_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

bool address_parse(struct address *address, const char *text)
{
	*address = (struct address){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	return inet_pton(address->family, text, address->bytes) == 1;
}

bool address_parse_unscoped(struct address *address, const char *text)
{
	char plain[ADDRESS_TEXT];
	size_t length = strcspn(text, "%");

	if (length >= sizeof(plain))
		return false;
	memcpy(plain, text, length);
	plain[length] = '\0';
	return address_parse(address, plain);
}

bool prefix_parse(struct prefix *prefix, const char *text)
{
	char address[ADDRESS_TEXT];
	const char *slash = strchr(text, '/');
	unsigned long long length;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';

	if (!address_parse(&prefix->address, address) ||
	    !number_parse(slash + 1, 0, address_size(prefix->address.family) * 8ULL, &length))
		return false;
	prefix->length = (uint8_t)length;
	return true;
}

struct prefix prefix_mask(const struct prefix *prefix)
{
	struct prefix masked = *prefix;

	unsigned int whole = prefix->length / 8;

	if (prefix->length % 8)
		masked.address.bytes[whole++] &= (uint8_t)(0xff00 >> prefix->length % 8);
	memset(masked.address.bytes + whole, 0, sizeof(masked.address.bytes) - whole);
	return masked;
}

struct address prefix_ones(uint8_t family, uint8_t length)
{
	struct prefix ones = { .address.family = family, .length = length };

	memset(ones.address.bytes, 0xff, sizeof(ones.address.bytes));
	return prefix_mask(&ones).address;
}

unsigned int netmask_length(const char *text)
{
	struct prefix ones = { .address.family = AF_INET, .address.bytes = { 255, 255, 255, 255 } }, masked;
	struct address mask;

	if (!address_parse(&mask, text) || mask.family != AF_INET)
		return UINT8_MAX;
	for (ones.length = 0; ones.length <= 32; ones.length++) {
		masked = prefix_mask(&ones);
		if (address_equal(&masked.address, &mask))
			return ones.length;
	}
	return UINT8_MAX;
}

bool prefix_parse_written(struct prefix *prefix, const char *text)
{
	const char *slash = strchr(text, '/');
	unsigned int length = slash && strchr(slash, '.') ? netmask_length(slash + 1) : UINT8_MAX;
	char plain[PREFIX_TEXT];

	if (length == UINT8_MAX)
		return prefix_parse(prefix, text);
	if ((size_t)(slash - text) >= ADDRESS_TEXT)
		return false;
	snprintf(plain, sizeof(plain), "%.*s/%u", (int)(slash - text), text, length);
	return prefix_parse(prefix, plain) && prefix->address.family == AF_INET;
}

const char *address_text(const struct address *address, char text[ADDRESS_TEXT])
{
	if (address->family == AF_UNSPEC || !inet_ntop(address->family, address->bytes, text, ADDRESS_TEXT))
		text[0] = '\0';
	return text;
}

const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	char address[ADDRESS_TEXT];

	snprintf(text, PREFIX_TEXT, "%s/%u", address_text(&prefix->address, address), prefix->length);
	return text;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->length == b->length && address_equal(&a->address, &b->address);
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	struct prefix ours = prefix_mask(prefix);
	struct prefix theirs = prefix_mask(&(struct prefix){ *address, prefix->length });

	return address_equal(&ours.address, &theirs.address);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->length <= b->length ? prefix_contains(a, &b->address) : prefix_contains(b, &a->address);
}

/* RFC 1918, RFC 6598, RFC 4193 */
bool prefix_is_private(const struct prefix *prefix)
{
	static const struct prefix networks[] = {
		{ { AF_INET, { 10 } }, 8 }, { { AF_INET, { 172, 16 } }, 12 }, { { AF_INET, { 192, 168 } }, 16 },
		{ { AF_INET, { 100, 64 } }, 10 }, { { AF_INET6, { 0xfc } }, 7 },
	};

	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
		if (networks[i].length <= prefix->length && prefix_contains(&networks[i], &prefix->address))
			return true;
	return false;
}

bool address_is_link_local(const struct address *address)
{
	return address->family == AF_INET6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool address_is_usable(const struct address *address)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	static const uint8_t unspecified[16];

	if (address->family == AF_INET)
		return address->bytes[0] != 0 && address->bytes[0] != 127 && address->bytes[0] < 224;
	return address->family == AF_INET6 && address->bytes[0] != 0xff &&
	       memcmp(address->bytes, loopback6, 16) != 0 && memcmp(address->bytes, unspecified, 16) != 0;
}

static bool parse_octet(uint8_t *octet, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = text[0] ? strchr(digits, tolower((unsigned char)text[0])) : NULL;
	const char *low = high && text[1] ? strchr(digits, tolower((unsigned char)text[1])) : NULL;

	if (low)
		*octet = (uint8_t)((high - digits) << 4 | (low - digits));
	return low;
}

bool mac_parse(struct mac *mac, const char *text)
{
	static const uint8_t nobody[sizeof(mac->bytes)];

	if (strlen(text) != MAC_TEXT - 1)
		return false;
	for (size_t i = 0; i < sizeof(mac->bytes); i++, text += 3)
		if (!parse_octet(&mac->bytes[i], text) || (text[2] != '\0' && text[2] != ':' && text[2] != '-'))
			return false;
	mac->known = !(mac->bytes[0] & 1) && memcmp(mac->bytes, nobody, sizeof(nobody)) != 0;
	return mac->known;
}

const char *mac_text(const struct mac *mac, char text[MAC_TEXT])
{
	const uint8_t *bytes = mac->bytes;

	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
	return text;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return a->known == b->known && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
