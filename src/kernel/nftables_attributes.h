/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_ATTRIBUTES_H
#define NFTABLES_ATTRIBUTES_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/* What all messages of nf_tables are made of: attributes, with numbers in network byte order. All of it is pure. */

/* attribute_put_name - a string, with its NUL, and the padding behind it as zeros, since the kernel gets that too */
void attribute_put_name(struct nlmsghdr *message, uint16_t type, const char *name);

/* attribute_copied - what libnftnl returns where it copies data: below 0 it could not, and the program ends (memory.h) */
void attribute_copied(int result);

/*
 * attribute_string - NULL where it is not there or has no NUL
 * attribute_u32, attribute_u64 - 0 where it is not there or of another size
 */
const char *attribute_string(const struct nlattr *attribute);
uint32_t attribute_u32(const struct nlattr *attribute);
uint64_t attribute_u64(const struct nlattr *attribute);

/*
 * attributes_of - those of a message, by type
 * @of: of @most + 1 elements, NULL before; those of larger types are passed over
 *
 * Returns 0, or EBADMSG for a message without the header of nf_tables.
 */
int attributes_of(const struct nlmsghdr *message, const struct nlattr *of[], uint16_t most);

#define NFTABLES_INSTANCE 111	/* ours, in a table's user data: of nft(8) there are 0 to 2 (libnftnl/udata.h) */

/*
 * userdata_find - the value of a type in user data, which is type, length and value again and again
 * @length: of the value, in bytes
 *
 * Returns NULL where it is not there.
 */
const uint8_t *userdata_find(const uint8_t *data, size_t left, uint8_t type, uint8_t *length);

/* nftables_comment - the comment in a rule's user data, which may be NULL; "" where there is none */
const char *nftables_comment(const void *userdata, size_t size);

/* attribute_comment - the same of NFTA_RULE_USERDATA, which may be NULL */
const char *attribute_comment(const struct nlattr *userdata);

#endif
