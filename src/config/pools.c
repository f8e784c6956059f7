/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/pools.h"
#include "config/kept.h"
#include "base/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE "pools"
#define CACHE_MOST (16 << 20)
#define CACHE_HEADING "ocserv-gateway pools " PACKAGE_VERSION " 1\n"	/* the number: of what is found in these files */
#define ENTRIES_MOST 4096	/* lines of a file for a group or user */
#define SHOWN 8			/* of what is left out, in warnings */

/* A file for a group or user. */
struct file {
	const char *directory;	/* "" where the file itself is named */
	char *name;
	uint64_t digest;
	bool settled;
	struct ocserv_lengths lengths;
	struct prefix *pool;
	size_t pools;
};

struct files {
	const struct config *config;
	struct report *report;
	struct file *file;
	size_t files, left_out;
	struct text cache;	/* as it was read */
	struct file *cached;	/* what it says; its names point there */
	size_t caches, used;
	size_t first, next, end;	/* in it, of the directory that is read */
	bool news;		/* something to be cached was read */
	size_t warned;
};

static void PRINTF(2, 3) leave_out(struct files *files, const char *format, ...)
{
	char what[1024];
	va_list args;

	if (++files->warned > SHOWN)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	report_warning(files->report, "%s", what);
}

static const char *separator(const struct file *file)
{
	size_t length = strlen(file->directory);

	return length == 0 || file->directory[length - 1] == '/' ? "" : "/";
}

static void path_of(struct text *path, const struct file *file)
{
	text_add(path, "%s%s%s", file->directory, separator(file), file->name);
}

/* The cache */

static char *next_line(char **cursor, char *end)
{
	char *line = *cursor, *newline = memchr(line, '\n', (size_t)(end - line));

	if (!newline)
		return NULL;
	*newline = '\0';
	*cursor = newline + 1;
	return strlen(line) == (size_t)(newline - line) ? line : NULL;
}

static bool parse_digest(const char *text, uint64_t *digest)
{
	*digest = 0;
	for (int i = 0; i < 16; i++) {
		int digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0' :
			    text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		*digest = *digest << 4 | (uint64_t)digit;
	}
	return true;
}

static bool parse_cached_pool(const char *text, struct prefix *pool)
{
	struct prefix masked;

	if (!prefix_parse(pool, text))
		return false;
	masked = prefix_mask(pool);
	return prefix_equal(pool, &masked);
}

/* F DIGEST POOL... =NAME */
static bool parse_entry(char *line, struct pools_entry *entry, struct prefix **pools)
{
	char *cursor = line + 2, *space;

	entry->pools = 0;
	if (strlen(cursor) < 17 || !parse_digest(cursor, &entry->digest) || cursor[16] != ' ')
		return false;
	for (cursor += 17; *cursor != '='; cursor = space + 1) {
		space = strchr(cursor, ' ');
		if (!space)
			return false;
		*space = '\0';
		*pools = make_room_for_one(*pools, entry->pools, sizeof(**pools));
		if (!parse_cached_pool(cursor, &(*pools)[entry->pools++]))
			return false;
	}
	entry->pool = *pools;
	entry->name = cursor + 1;
	return entry->name[0] != '\0';
}

bool pools_parse_cache(char *text, size_t length, pools_visitor visit, void *data)
{
	struct pools_entry entry = { .directory = NULL };
	char *cursor = text, *end = text + length, *line;
	const size_t heading = strlen(CACHE_HEADING);
	const char *before = NULL;

	if (length < heading || memcmp(text, CACHE_HEADING, heading) != 0)
		return false;
	for (cursor += heading; cursor < end; ) {
		struct prefix *pools = NULL;
		bool good;

		line = next_line(&cursor, end);
		if (line && strncmp(line, "D ", 2) == 0) {
			/* One without files is not written, nor the same twice. */
			if (entry.directory && (!before || strcmp(entry.directory, line + 2) == 0))
				return false;
			entry.directory = line + 2;
			before = NULL;
			continue;
		}
		good = line && entry.directory && strncmp(line, "F ", 2) == 0 && parse_entry(line, &entry, &pools) &&
		       (!before || strcmp(before, entry.name) < 0);
		if (good)
			visit(&entry, data);
		free(pools);
		if (!good)
			return false;
		before = entry.name;
	}
	return !entry.directory || before;
}

void pools_add_cached(struct text *text, const char *directory_before, const struct pools_entry *entry)
{
	char pool[PREFIX_TEXT], digest[24];

	if (!text->length)
		text_add_string(text, CACHE_HEADING);
	if (!directory_before || strcmp(directory_before, entry->directory) != 0)
		text_add(text, "D %s\n", entry->directory);
	snprintf(digest, sizeof(digest), "F %016" PRIx64 " ", entry->digest);
	text_add_string(text, digest);
	for (size_t i = 0; i < entry->pools; i++) {
		text_add_string(text, prefix_text(&entry->pool[i], pool));
		text_add_string(text, " ");
	}
	text_add_string(text, "=");
	text_add_string(text, entry->name);
	text_add_string(text, "\n");
}

static struct prefix *copy_pools(const struct prefix *pool, size_t pools)
{
	struct prefix *copy;

	if (!pool || !pools)
		return NULL;
	copy = allocate(pools, sizeof(*copy));
	memcpy(copy, pool, pools * sizeof(*copy));
	return copy;
}

static void take_cached(const struct pools_entry *entry, void *data)
{
	struct files *files = data;

	files->cached = make_room_for_one(files->cached, files->caches, sizeof(*files->cached));
	files->cached[files->caches++] = (struct file){
		.directory = entry->directory, .name = (char *)entry->name, .digest = entry->digest,
		.pool = copy_pools(entry->pool, entry->pools), .pools = entry->pools,
	};
}

static void forget_cached(struct files *files)
{
	for (size_t i = 0; i < files->caches; i++)
		free(files->cached[i].pool);
	free(files->cached);
	files->cached = NULL;
	files->caches = 0;
}

static void load_cache(struct files *files, int state)
{
	struct stat status;
	int fd = kept_open(state, CACHE, CACHE_MOST, &status);
	ssize_t got;

	if (fd < 0)
		return;
	files->cache.data = allocate((size_t)status.st_size + 1, 1);
	got = read(fd, files->cache.data, (size_t)status.st_size);
	files->cache.length = got > 0 ? (size_t)got : 0;
	if (!pools_parse_cache(files->cache.data, files->cache.length, take_cached, files))
		forget_cached(files);
	close(fd);
}

static void keep_cache(const struct files *files, int state)
{
	struct text text CLEANUP(text_free) = { 0 };
	const char *before = NULL;

	if (state < 0 || (!files->news && files->used == files->caches))
		return;
	for (size_t i = 0; i < files->files; i++) {
		const struct file *file = &files->file[i];
		struct pools_entry entry = { file->directory, file->name, file->digest, file->pool, file->pools };

		if (!file->settled || strchr(file->name, '\n') || strchr(file->directory, '\n'))
			continue;
		pools_add_cached(&text, before, &entry);
		before = file->directory;
	}
	if (!text.length)
		unlinkat(state, CACHE, 0);
	else
		kept_write(state, CACHE, &text);
}

/* For qsort(3), which must not be handed NULL, even of no elements. */
static void sort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(array, count, size, compare);
}

/* Files */

static void add_number(uint64_t *digest, uint64_t number)
{
	digest_add(digest, &number, sizeof(number));
}

/* Of what stat(2) says of a file, and of what its networks may lack. */
static uint64_t digest_of(const struct stat *status, const struct ocserv_lengths *lengths)
{
	uint64_t digest = DIGEST_NOTHING;

	add_number(&digest, (uint64_t)status->st_dev);
	add_number(&digest, (uint64_t)status->st_ino);
	add_number(&digest, (uint64_t)status->st_size);
	add_number(&digest, (uint64_t)status->st_mtim.tv_sec);
	add_number(&digest, (uint64_t)status->st_mtim.tv_nsec);
	add_number(&digest, (uint64_t)status->st_ctim.tv_sec);
	add_number(&digest, (uint64_t)status->st_ctim.tv_nsec);
	for (int family = 0; family < FAMILIES; family++)
		add_number(&digest, lengths->length[family]);
	return digest;
}

/* The entries of a directory, of which the first is the next one that is looked for. */
static void enter_cached(struct files *files, const char *directory)
{
	files->next = 0;
	while (files->next < files->caches && strcmp(files->cached[files->next].directory, directory) != 0)
		files->next++;
	files->first = files->end = files->next;
	while (files->end < files->caches && strcmp(files->cached[files->end].directory, directory) == 0)
		files->end++;
}

/* Both are in the same order: where nothing has changed it is the next one. */
static const struct file *find_cached(struct files *files, const char *name)
{
	size_t low = files->first, high = files->end;

	if (files->next < high && strcmp(files->cached[files->next].name, name) == 0)
		return &files->cached[files->next++];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(files->cached[middle].name, name);

		if (order == 0) {
			files->next = middle + 1;
			return &files->cached[middle];
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void take_pool(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *pool,
		      void *data)
{
	struct file *file = data;

	(void)conf;
	(void)entry;
	file->pool = make_room_for_one(file->pool, file->pools, sizeof(*file->pool));
	file->pool[file->pools++] = *pool;
}

static void read_file(struct files *files, struct file *file)
{
	struct text path CLEANUP(text_free) = { 0 };
	struct ocserv_conf conf;

	path_of(&path, file);
	if (ocserv_conf_read(&conf, text_string(&path), &file->lengths) < 0) {
		file->settled = false;
		leave_out(files, "%.500s: %s; its pools are left out, and sessions with these addresses are refused",
			  text_string(&path), strerror(errno));
	} else if (conf.entries > ENTRIES_MOST) {
		file->settled = false;
		leave_out(files, "%.500s: has more than %d lines; its pools are left out, and sessions with these addresses are "
			  "refused", text_string(&path), ENTRIES_MOST);
	} else {
		/* But no LAN of a client (iroute), which may be one of this host's: the admin names these. */
		ocserv_conf_visit_pools(&conf, take_pool, file);
	}
	files->news = files->news || file->settled;
	ocserv_conf_free(&conf);
}

/* What a file has, from the cache or from itself. */
static void look_into(struct files *files, struct file *file, const struct stat *status, time_t now)
{
	const struct file *cached = NULL;

	/* What is named itself is one or two, and read each time. */
	if (file->directory[0]) {
		file->digest = digest_of(status, &file->lengths);
		file->settled = kept_is_settled(status, now);
		cached = find_cached(files, file->name);
	}
	if (!cached || cached->digest != file->digest || !file->settled) {
		read_file(files, file);
		return;
	}
	files->used++;
	file->pools = cached->pools;
	file->pool = copy_pools(cached->pool, cached->pools);
}

static void add_file(struct files *files, int directory, const char *path, const char *name,
		     const struct ocserv_lengths *lengths, time_t now)
{
	struct file file = { .directory = path, .lengths = *lengths };
	struct stat status;

	if (files->files == POOLS_FILES) {
		files->left_out++;
		return;
	}
	if (fstatat(directory, name, &status, 0) < 0) {
		leave_out(files, "%.250s%s%.250s: %s; its pools are left out, and sessions with these addresses are refused", path,
			  separator(&file), name, strerror(errno));
		return;
	}
	if (S_ISDIR(status.st_mode))
		return;
	file.name = duplicate(name);
	look_into(files, &file, &status, now);
	files->file = make_room_for_one(files->file, files->files, sizeof(*files->file));
	files->file[files->files++] = file;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_directory(struct files *files, const struct ocserv_named *named, time_t now)
{
	const char *path = named->path;
	struct lines names CLEANUP(lines_free) = { 0 };
	const struct dirent *entry;
	DIR *directory = opendir(path);

	if (!directory) {
		leave_out(files, "%.500s: %s; the pools in it are left out, and sessions with these addresses are refused", path,
			  strerror(errno));
		return;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		names.line = make_room_for_one(names.line, names.count, sizeof(*names.line));
		names.line[names.count++] = duplicate(entry->d_name);
	}
	enter_cached(files, path);
	sort(names.line, names.count, sizeof(*names.line), compare_names);
	for (size_t i = 0; i < names.count; i++)
		add_file(files, dirfd(directory), path, names.line[i], &named->lengths, now);
	closedir(directory);
}

/* Whether an entry before names the same; one cache is kept of a directory, with what its networks lacked there. */
static bool is_repeated(const struct ocserv_conf *conf, size_t index, const struct ocserv_named *named)
{
	struct ocserv_named other;

	for (size_t i = 0; i < index; i++)
		if (ocserv_conf_named(conf, i, &other) && strcmp(other.path, named->path) == 0 &&
		    memcmp(&other.lengths, &named->lengths, sizeof(other.lengths)) == 0)
			return true;
	return false;
}

static void find_files(struct files *files, const struct ocserv_conf *conf)
{
	time_t now = time(NULL);

	for (size_t i = 0; i < conf->entries; i++) {
		struct ocserv_named named;

		if (!ocserv_conf_named(conf, i, &named) || is_repeated(conf, i, &named))
			continue;
		if (named.directory)
			add_directory(files, &named, now);
		else
			add_file(files, AT_FDCWD, "", named.path, &named.lengths, now);
	}
	if (files->left_out)
		report_warning(files->report, "%s: names more than %d files for groups and users; %zu of them are not read, and "
			       "sessions with their addresses may be refused; write [clients] subnet4 and subnet6 instead of auto",
			       conf->path, POOLS_FILES, files->left_out);
}

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->files; i++) {
		free(files->file[i].name);
		free(files->file[i].pool);
	}
	free(files->file);
	forget_cached(files);
	text_free(&files->cache);
}

/* Pools */

struct pool {
	struct prefix prefix;
	size_t rank;		/* 0: of ocserv.conf itself; else of the file with this number, from 1 */
};

struct pools {
	struct pool *pool;
	size_t pools;
};

static void add_pool(struct pools *pools, const struct prefix *prefix, size_t rank)
{
	pools->pool = make_room_for_one(pools->pool, pools->pools, sizeof(*pools->pool));
	pools->pool[pools->pools++] = (struct pool){ *prefix, rank };
}

static unsigned int widest(const struct prefix *pool)
{
	return pool->address.family == AF_INET ? 8 : 16;
}

static bool holds_gateway(const struct config *config, const struct prefix *pool)
{
	for (unsigned int i = 0; i < config->gateways; i++) {
		const struct gateway_to *to = &config->gateway[i].to[family_index(pool->address.family)];

		if (to->mode == GATEWAY_ADDRESS && prefix_contains(pool, &to->address))
			return true;
	}
	return false;
}

/* Why a network is no pool of clients; NULL where it may be one. */
static const char *fault_of(const struct config *config, const struct prefix *pool, bool named)
{
	bool ipv4 = pool->address.family == AF_INET;

	if (pool->length < widest(pool))
		return ipv4 ? "is wider than /8" : "is wider than /16";
	if (!address_is_usable(&pool->address))
		return "can't be addresses of clients";
	if (named && pool->length < 2 * widest(pool) && !prefix_is_private(pool))
		return ipv4 ? "is not a private network, and is wider than /16" : "is not a private network, and is wider than /32";
	if (named && holds_gateway(config, pool))
		return "holds the gateway";
	return NULL;
}

struct own_pools {
	const struct config *config;
	const bool *wanted;
	struct report *report;
	struct pools *pools;
	int result;
};

static void take_own_pool(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *pool,
			  void *data)
{
	struct own_pools *own = data;
	const char *fault = fault_of(own->config, pool, false);
	int family = family_index(pool->address.family);

	if (!own->wanted[family])
		return;
	if (fault)
		own->result = config_error(own->config, own->report, family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6,
					   "%s:%u: %s = %.200s: %s: not a client pool; correct it, or write the subnets here",
					   conf->path, entry->line, entry->name, entry->value, fault);
	else
		add_pool(own->pools, pool, 0);
}

static void take_file(struct files *files, size_t index, const bool wanted[FAMILIES], struct pools *pools)
{
	const struct file *file = &files->file[index];

	for (size_t i = 0; i < file->pools; i++) {
		const struct prefix *pool = &file->pool[i];
		const char *fault = fault_of(files->config, pool, true);
		char text[PREFIX_TEXT];

		if (!wanted[family_index(pool->address.family)])
			continue;
		if (fault)
			leave_out(files, "%.250s%s%.250s: the pool %s %s: it is left out, and sessions with these addresses are "
				  "refused", file->directory, separator(file), file->name, prefix_text(pool, text), fault);
		else
			add_pool(pools, pool, index + 1);
	}
}

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

/* What holds another comes before it. */
static int compare_pools(const void *a, const void *b)
{
	const struct pool *one = a, *other = b;
	int order = (one->prefix.address.family > other->prefix.address.family) -
		    (one->prefix.address.family < other->prefix.address.family);

	if (!order)
		order = memcmp(one->prefix.address.bytes, other->prefix.address.bytes, sizeof(one->prefix.address.bytes));
	if (!order)
		order = one->prefix.length - other->prefix.length;
	return order ? order : compare_numbers(one->rank, other->rank);
}

static int compare_ranks(const void *a, const void *b)
{
	int order = compare_numbers(((const struct pool *)a)->rank, ((const struct pool *)b)->rank);

	return order ? order : compare_pools(a, b);
}

static bool holds(const struct pool *pool, const struct prefix *other)
{
	return pool->prefix.length <= other->length && prefix_contains(&pool->prefix, &other->address);
}

/* The network of which these two are the halves. */
static bool join(struct pool *one, const struct pool *other)
{
	struct prefix whole = one->prefix;

	if (one->prefix.length != other->prefix.length || whole.length <= widest(&whole))
		return false;
	whole.length--;
	whole = prefix_mask(&whole);
	if (!prefix_contains(&whole, &other->prefix.address))
		return false;
	one->prefix = whole;
	if (other->rank < one->rank)
		one->rank = other->rank;
	return true;
}

/* As few networks as say the same, of those that came first. */
static void join_pools(struct pools *pools)
{
	struct pool *pool = pools->pool;
	size_t joined = 0;

	sort(pool, pools->pools, sizeof(*pool), compare_pools);
	for (size_t i = 0; i < pools->pools; i++) {
		if (joined && holds(&pool[joined - 1], &pool[i].prefix)) {
			if (pool[i].rank < pool[joined - 1].rank)
				pool[joined - 1].rank = pool[i].rank;
			continue;
		}
		pool[joined++] = pool[i];
		while (joined > 1 && join(&pool[joined - 2], &pool[joined - 1]))
			joined--;
	}
	pools->pools = joined;
	sort(pool, joined, sizeof(*pool), compare_ranks);
}

static void write_list(struct text *list, const struct pools *pools, int family)
{
	char text[PREFIX_TEXT];

	for (size_t i = 0; i < pools->pools; i++)
		if (pools->pool[i].prefix.address.family == family_of(family))
			text_add(list, "%s%s", list->length ? ", " : "", prefix_text(&pools->pool[i].prefix, text));
}

int pools_find(const struct config *config, const struct ocserv_conf *conf, const bool wanted[FAMILIES],
	       struct text list[FAMILIES], struct report *report)
{
	struct files files = { .config = config, .report = report };
	struct pools pools = { 0 };
	struct own_pools own = { config, wanted, report, &pools, 0 };
	int state = kept_directory(config->state_dir);

	load_cache(&files, state);
	find_files(&files, conf);
	keep_cache(&files, state);
	if (state >= 0)
		close(state);
	ocserv_conf_visit_pools(conf, take_own_pool, &own);
	for (size_t i = 0; i < files.files; i++)
		take_file(&files, i, wanted, &pools);
	join_pools(&pools);
	for (int family = 0; family < FAMILIES; family++)
		if (wanted[family])
			write_list(&list[family], &pools, family);
	if (files.warned > SHOWN)
		report_warning(report, "%s: of the files that it names, %zu more have pools that are left out", conf->path,
			       files.warned - SHOWN);
	free(pools.pool);
	files_free(&files);
	return own.result;
}
