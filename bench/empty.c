/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Does nothing, linked as the program is: what the kernel and the dynamic loader need to start it. */
int main(void)
{
	return 0;
}
