/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_attributes.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

void attribute_copied(int result)
{
	if (result < 0)
		out_of_memory();
}

void attribute_put_name(struct nlmsghdr *message, uint16_t type, const char *name)
{
	memset(mnl_nlmsg_get_payload_tail(message), 0, MNL_ATTR_HDRLEN + MNL_ALIGN(strlen(name) + 1));
	mnl_attr_put_strz(message, type, name);
}

const char *attribute_string(const struct nlattr *attribute)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(attribute) : NULL;
}

uint32_t attribute_u32(const struct nlattr *attribute)
{
	return attribute && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attribute)) : 0;
}

uint64_t attribute_u64(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) != sizeof(uint64_t))
		return 0;
	return be64toh(mnl_attr_get_u64(attribute));
}

int attributes_of(const struct nlmsghdr *message, const struct nlattr *of[], uint16_t most)
{
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) <= most)
			of[mnl_attr_get_type(attribute)] = attribute;
	return 0;
}

const uint8_t *userdata_find(const uint8_t *data, size_t left, uint8_t type, uint8_t *length)
{
	while (left >= 2 && data[1] <= left - 2) {
		*length = data[1];
		if (data[0] == type)
			return data + 2;
		left -= 2U + data[1];
		data += 2 + data[1];
	}
	return NULL;
}

const char *nftables_comment(const void *userdata, size_t size)
{
	uint8_t length = 0;
	const uint8_t *comment = userdata ? userdata_find(userdata, size, NFTNL_UDATA_RULE_COMMENT, &length) : NULL;

	return comment && length > 0 && comment[length - 1] == '\0' ? (const char *)comment : "";
}

const char *attribute_comment(const struct nlattr *userdata)
{
	return userdata ? nftables_comment(mnl_attr_get_payload(userdata), mnl_attr_get_payload_len(userdata)) : "";
}
