/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

/* Attributes of functions and variables, which GCC and Clang know. */

#define PRINTF(template, first) __attribute__((__format__(__printf__, template, first)))
#define CLEANUP(function) __attribute__((__cleanup__(function)))

#endif
