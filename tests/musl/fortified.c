// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names that Debian's archives ask glibc for, and musl does not have: the calls that FORTIFY checks, unchecked. Where
 * a buffer's size is known, it holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __printf_chk(int flag, const char *format, ...);
int __snprintf_chk(char *buffer, size_t size, int flag, size_t real, const char *format, ...);
int __vsnprintf_chk(char *buffer, size_t size, int flag, size_t real, const char *format, va_list values);
_Noreturn void __longjmp_chk(jmp_buf where, int value);

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list values;
	int written;

	(void)flag;
	va_start(values, format);
	written = vfprintf(file, format, values);
	va_end(values);
	return written;
}

int __printf_chk(int flag, const char *format, ...)
{
	va_list values;
	int written;

	(void)flag;
	va_start(values, format);
	written = vprintf(format, values);
	va_end(values);
	return written;
}

int __vsnprintf_chk(char *buffer, size_t size, int flag, size_t real, const char *format, va_list values)
{
	(void)flag;
	return vsnprintf(buffer, size < real ? size : real, format, values);
}

int __snprintf_chk(char *buffer, size_t size, int flag, size_t real, const char *format, ...)
{
	va_list values;
	int written;

	va_start(values, format);
	written = __vsnprintf_chk(buffer, size, flag, real, format, values);
	va_end(values);
	return written;
}

void __longjmp_chk(jmp_buf where, int value)
{
	longjmp(where, value);
}
