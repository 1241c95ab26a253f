/*
 * In which order services are started, by their depends files alone: for check and
 * graph.
 *
 * A service's level is one more than the highest of those it waits for.  It has none,
 * and is never started, if it is in a circle, depends on what is not there, or waits
 * for such a service.
 */
#include <fcntl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

static struct ordered *ordered;		/* sorted by name */
static unsigned count;
static unsigned *stack, stacked, visited;	/* of visit() */
static void (*say)(const char *name, const char *text);

static void __attribute__((format(printf, 2, 3)))
complain(const struct ordered *service, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say(service->name, text);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct ordered *)a)->name,
	    ((const struct ordered *)b)->name);
}

/* The service of that name, or NULL. */
static struct ordered *
order_find(const char *name)
{
	struct ordered key = { .name = name };

	return count == 0 ? NULL :
	    bsearch(&key, ordered, count, sizeof(key), by_name);
}

static void
add_need(struct ordered *service, const struct ordered *other)
{
	unsigned i, needed = (unsigned)(other - ordered);

	for (i = 0; i < service->need_count; i++)
		if (service->needs[i] == needed)
			return;
	service->needs = grown(service->needs, service->need_count,
	    sizeof(service->needs[0]));
	service->needs[service->need_count++] = needed;
}

static void
read_needs(int parent, const char *path, struct ordered *service)
{
	int directory = openat(parent, service->name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why = NULL;
	struct ordered *other;
	char *text, *name;

	/* What is wrong with a directory that cannot be read, check says. */
	if (directory == -1)
		return;
	text = depends_read(directory, &why);
	close(directory);
	if (why != NULL)
		complain(service, "depends: %s", why);
	while ((name = settings_line(&text, NULL)) != NULL) {
		other = order_find(name);
		if (other == service)
			complain(service, "depends on itself (remove the line "
			    "from depends)");
		else if (other == NULL)
			complain(service, "depends on %s, which is not in %s "
			    "(remove the line from depends, or add it)",
			    escape(name), escape(path));
		if (other == service || other == NULL)
			service->blocked = true;
		else
			add_need(service, other);
	}
}

/* --- circles and levels ------------------------------------------------------------ */

static int
by_number(const void *a, const void *b)
{
	const unsigned *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

/* Those from first on depend on each other. */
static void
complain_of_circle(unsigned *first, unsigned members)
{
	char text[8192];
	size_t length = 0;
	unsigned i;

	qsort(first, members, sizeof(*first), by_number);
	for (i = 0; i < members && length < sizeof(text) / 2; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
		    "%s%s", i > 0 ? ", " : "",
		    escape(ordered[first[i]].name));
	if (i < members)
		snprintf(text + length, sizeof(text) - length, " and %u more",
		    members - i);
	say(NULL, strcat(text, " depend on each other in a circle; none of "
	    "them is started (edit their depends files)"));
}

static void
give_level(struct ordered *service)
{
	unsigned i, level = 1;

	if (service->blocked)
		return;
	for (i = 0; i < service->need_count; i++) {
		const struct ordered *need = &ordered[service->needs[i]];

		if (need->level == 0)
			return;
		if (need->level >= level)
			level = need->level + 1;
	}
	service->level = level;
}

/*
 * Tarjan's strongly connected components: a circle is one of two and more.  They come
 * in the order in which they are to be started.  As deep as the longest chain is.
 */
static void
visit(struct ordered *service)
{
	unsigned i, members, own = (unsigned)(service - ordered);

	service->visit = service->lowest = ++visited;
	service->on_stack = true;
	stack[stacked++] = own;
	for (i = 0; i < service->need_count; i++) {
		struct ordered *need = &ordered[service->needs[i]];

		if (need->visit == 0)
			visit(need);
		if (need->on_stack && need->lowest < service->lowest)
			service->lowest = need->lowest;
	}
	if (service->lowest != service->visit)
		return;
	for (members = 1; stack[stacked - members] != own; members++)
		continue;
	stacked -= members;
	for (i = 0; i < members; i++)
		ordered[stack[stacked + i]].on_stack = false;
	for (i = 0; i < members && members > 1; i++)
		ordered[stack[stacked + i]].blocked = true;
	if (members > 1)
		complain_of_circle(&stack[stacked], members);
	else
		give_level(service);
}

/*
 * Reads the services of a directory and orders them; what is wrong is said, of a name
 * or (NULL) of several.  Returns how many there are, by name; -1 and an errno: the
 * directory cannot be read.
 */
int
order_read(const char *path, struct ordered **services,
    void (*fault)(const char *name, const char *text))
{
	int i, found, parent;
	char **names;

	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent == -1)
		return -1;
	found = directory_services(parent, &names);
	say = fault;
	count = 0;
	visited = stacked = 0;
	ordered = calloc((size_t)found + 1, sizeof(*ordered));
	stack = calloc((size_t)found + 1, sizeof(*stack));
	if (found == -1 || ordered == NULL || stack == NULL)
		return -1;
	for (i = 0; i < found; i++)
		ordered[i].name = names[i];
	count = (unsigned)found;
	for (i = 0; i < found; i++)
		read_needs(parent, path, &ordered[i]);
	for (i = 0; i < found; i++)
		if (ordered[i].visit == 0)
			visit(&ordered[i]);
	close(parent);
	free(stack);
	*services = ordered;
	return found;
}
