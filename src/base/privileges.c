/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The leak check of the address sanitizer traces the process, which must be dumpable for that. */
#ifdef __has_feature
#define WITH_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#else
#define WITH_SANITIZER 0
#endif

void privileges_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		[CAP_TO_INDEX(CAP_NET_ADMIN)] = { .permitted = CAP_TO_MASK(CAP_NET_ADMIN), .effective = CAP_TO_MASK(CAP_NET_ADMIN) },
	};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, WITH_SANITIZER, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) == 0)
		return;
	/* Who does not have it has nothing to keep. */
	memset(data, 0, sizeof(data));
	syscall(SYS_capset, &header, data);
}

const char *privileges_remedy(int error, const char *other)
{
	return geteuid() != 0 && (error == EACCES || error == EPERM) ? "run it as root" : other;
}
