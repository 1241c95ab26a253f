/*
 * initctl show: what holds for a service and which file says so, from its directory
 * alone.  What is in env/ may be secret, so it is named and not shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

/* A service that is shown. */
struct shown {
	const char	*name;
	const char	*path;		/* of its directory */
	int		directory;
	uint32_t	entries, broken;	/* bits of enum entry */
	struct settings	settings;
	char		**faults;
	unsigned	fault_count;
};

static bool json;
static unsigned shown_so_far;

/* --- for people ---------------------------------------------------------------- */

/* The path of a file of the service; until the next call. */
static const char *
plain_path(const struct shown *shown, const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", shown->path, file);
	return path;
}

static const char *
path_of(const struct shown *shown, const char *file)
{
	return escape(plain_path(shown, file));
}

static bool
is_from_file(const struct shown *shown, enum entry entry)
{
	return shown->entries & ~shown->broken & (UINT32_C(1) << entry);
}

static void
print_line(const char *what, const char *value, const char *from)
{
	printf("%-18s  %-24s  %s\n", what, value, from);
}

static const char *
source_of(const struct shown *shown, enum entry entry)
{
	return is_from_file(shown, entry) ?
	    path_of(shown, entry_names[entry]) : "default";
}

static void
print_limits(const struct shown *shown)
{
	const struct service_limit *limit = shown->settings.limit;
	char text[80], soft[24], hard[24];
	unsigned i;

	for (i = 0; i < shown->settings.limits; i++, limit++) {
		snprintf(text, sizeof(text), "%s %s %s",
		    limit_name(limit->resource), limit_in_words(limit->soft, soft),
		    limit_in_words(limit->hard, hard));
		print_line("limits", text, path_of(shown, "limits"));
	}
}

static void
print_settings(const struct shown *shown)
{
	struct value value;
	unsigned i;

	for (i = 0; i < VALUES; i++) {
		value = value_of(&shown->settings, i);
		if (value.entry == ENTRY_LIMITS && !value.is_none)
			print_limits(shown);
		else
			print_line(entry_names[value.entry], escape(value.text),
			    source_of(shown, value.entry));
	}
}

/* --- as JSON -------------------------------------------------------------------- */

static void
json_text(const char *text)
{
	json_string(stdout, text, strlen(text));
}

/* The beginning of a key's value; *first is whether it is the first of its map. */
static void
json_key(const char *key, bool *first)
{
	if (!*first)
		fputs(", ", stdout);
	*first = false;
	json_text(key);
	fputs(": ", stdout);
}

static void
json_limits(const struct shown *shown)
{
	const struct service_limit *limit = shown->settings.limit;
	char soft[24], hard[24];
	unsigned i;

	putchar('[');
	for (i = 0; i < shown->settings.limits; i++, limit++)
		printf("%s{\"name\": \"%s\", \"soft\": \"%s\", \"hard\": \"%s\"}",
		    i > 0 ? ", " : "", limit_name(limit->resource),
		    limit_in_words(limit->soft, soft), limit_in_words(limit->hard, hard));
	putchar(']');
}

static void
json_settings(const struct shown *shown)
{
	bool first = true;
	struct value value;
	unsigned i;

	for (i = 0; i < VALUES; i++) {
		value = value_of(&shown->settings, i);
		json_key(entry_names[value.entry], &first);
		fputs("{\"value\": ", stdout);
		if (value.is_none)
			fputs("null", stdout);
		else if (value.entry == ENTRY_LIMITS)
			json_limits(shown);
		else if (value.word != NULL)
			json_text(value.word);
		else
			printf("%" PRId64, value.number);
		fputs(", \"from\": ", stdout);
		if (is_from_file(shown, value.entry))
			json_text(plain_path(shown, entry_names[value.entry]));
		else
			fputs("null", stdout);
		putchar('}');
	}
}

/* --- lists: programs, variables, what it depends on ------------------------------ */

/* One of a list, in either form. */
static void
print_item(const struct shown *shown, const char *what, const char *item,
    const char *file, bool *first)
{
	if (json) {
		if (!*first)
			fputs(", ", stdout);
		json_text(item);
	} else {
		print_line(what, escape(item), path_of(shown, file));
	}
	*first = false;
}

static void
print_names(const struct shown *shown, const char *what, enum entry entry,
    bool prefix, bool *first)
{
	const char *directory = entry_names[entry];
	char **names, path[512];
	int i, count;

	if (!(shown->entries & (UINT32_C(1) << entry)))
		return;
	count = directory_names(shown->directory, directory, &names);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (names[i][0] != '.')
			print_item(shown, what, prefix ? path : names[i], path,
			    first);
	}
	directory_free(names, count);
}

static void
print_programs(const struct shown *shown, bool *first)
{
	static const enum entry programs[] = {
		ENTRY_RUN, ENTRY_FINISH, ENTRY_CHECK, ENTRY_HEALTH,
	};
	size_t i;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (shown->entries & (UINT32_C(1) << programs[i]))
			print_item(shown, "program", entry_names[programs[i]],
			    entry_names[programs[i]], first);
	print_names(shown, "program", ENTRY_CONTROL, true, first);
	if (faccessat(shown->directory, "log/run", F_OK, 0) == 0)
		print_item(shown, "program", "log/run", "log/run", first);
}

static void
print_depends(const struct shown *shown, bool *first)
{
	const char *why;
	char *text = depends_read(shown->directory, &why), *name;

	while ((name = settings_line(&text, NULL)) != NULL)
		print_item(shown, "depends", name, "depends", first);
	if (why != NULL) {
		fprintf(stderr, "*** %s: depends cannot be read: %s\n",
		    escape(shown->name), why);
		note(EXIT_FAILED);
	}
}

/* --- a service ------------------------------------------------------------------- */

static void
print_text(const struct shown *shown)
{
	bool first = true;

	printf("%s%s\n", shown_so_far > 0 ? "\n" : "", escape(shown->path));
	print_settings(shown);
	print_line("down", shown->entries & ENTRY(DOWN) ? "yes" : "no",
	    source_of(shown, ENTRY_DOWN));
	print_line("essential", shown->entries & ENTRY(ESSENTIAL) ? "yes" :
	    "no", source_of(shown, ENTRY_ESSENTIAL));
	print_depends(shown, &first);
	print_programs(shown, &first);
	print_names(shown, "env", ENTRY_ENV, false, &first);
}

static void
print_json(const struct shown *shown)
{
	bool first;
	unsigned i;

	printf("%s{\"name\": ", shown_so_far > 0 ? ", " : "");
	json_text(shown->name);
	fputs(", \"directory\": ", stdout);
	json_text(shown->path);
	fputs(", \"settings\": {", stdout);
	json_settings(shown);
	printf("}, \"down\": %s, \"essential\": %s",
	    shown->entries & ENTRY(DOWN) ? "true" : "false",
	    shown->entries & ENTRY(ESSENTIAL) ? "true" : "false");
	fputs(", \"depends\": [", stdout);
	print_depends(shown, (first = true, &first));
	fputs("], \"programs\": [", stdout);
	print_programs(shown, (first = true, &first));
	fputs("], \"env\": [", stdout);
	print_names(shown, "env", ENTRY_ENV, false, (first = true, &first));
	fputs("], \"faults\": [", stdout);
	for (i = 0; i < shown->fault_count; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		json_text(shown->faults[i]);
	}
	fputs("]}", stdout);
}

/* A file that does not parse: said, and what holds is the default. */
static void
take_fault(void *argument, const char *text)
{
	struct shown *shown = argument;
	size_t length = strcspn(text, ":");
	unsigned i;

	fprintf(stderr, "*** %s: %s\n", escape(shown->name), text);
	note(EXIT_FAILED);
	for (i = 0; i < ENTRIES; i++)
		if (strlen(entry_names[i]) == length &&
		    memcmp(entry_names[i], text, length) == 0)
			shown->broken |= UINT32_C(1) << i;
	shown->faults = grown(shown->faults, shown->fault_count,
	    sizeof(shown->faults[0]));
	if ((shown->faults[shown->fault_count] = strdup(text)) != NULL)
		shown->fault_count++;
}

static void
show(const char *name, const char *path, int directory)
{
	struct shown shown = {
		.name = name, .path = path, .directory = directory,
	};

	shown.entries = settings_list(directory);
	/* As the supervisor and runsv(8) have it, a link to nothing is no down. */
	if (faccessat(directory, "down", F_OK, 0) == -1)
		shown.entries &= ~ENTRY(DOWN);
	settings_read(directory, shown.entries, &shown.settings, take_fault,
	    &shown);
	if (json)
		print_json(&shown);
	else
		print_text(&shown);
	shown_so_far++;
	directory_free(shown.faults, (int)shown.fault_count);
	close(directory);
}

/* Shows one by its name, or by the path of its directory.  False: there is none. */
static bool
show_named(const char *name)
{
	char path[PATH_MAX];
	int directory;

	if (name[0] == '/' || name[0] == '.')
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s", name);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory == -1)
		return false;
	show(name, path, directory);
	return true;
}

/* Shows all that a pattern stands for.  False: that is none. */
static bool
show_matching(const char *pattern)
{
	int i, count, parent, before = (int)shown_so_far;
	char **names;

	parent = open(SERVICE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent == -1)
		return false;
	count = directory_services(parent, &names);
	for (i = 0; i < count; i++)
		if (directory_means(pattern, names[i]))
			show_named(names[i]);
	directory_free(names, count);
	close(parent);
	return (int)shown_so_far > before;
}

void
show_services(int argc, char **argv)
{
	const char *name;
	int i;

	json = options.json;
	if (json)
		fputs("{\"services\": [", stdout);
	for (i = 0; i < argc; i++) {
		name = service_name(argv[i]);
		if (show_named(name) || (is_pattern(name) &&
		    show_matching(name)))
			continue;
		fprintf(stderr, "*** %s: no service has that name in "
		    SERVICE_DIRECTORY "\n", escape(name));
		note(EXIT_UNKNOWN);
	}
	if (json)
		puts("]}");
}
