/* initctl graph: the order in which services are started, as text or for graphviz. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

static struct ordered *services;
static unsigned count;

static void
complain(const char *name, const char *text)
{
	fprintf(stderr, "*** %s%s%s\n", name != NULL ? escape(name) : "",
	    name != NULL ? ": " : "", text);
	note(EXIT_FAILED);
}

/* A service, and all that it needs, is shown. */
static void
choose(struct ordered *service)
{
	unsigned i;

	if (service->chosen)
		return;
	service->chosen = true;
	for (i = 0; i < service->need_count; i++)
		choose(&services[service->needs[i]]);
}

static void
choose_named(const char *name)
{
	bool found = false;
	unsigned i;

	for (i = 0; i < count; i++)
		if (directory_means(name, services[i].name)) {
			choose(&services[i]);
			found = true;
		}
	if (found)
		return;
	fprintf(stderr, "*** %s: no service has that name in "
	    SERVICE_DIRECTORY "\n", escape(name));
	note(EXIT_UNKNOWN);
}

/* --- text --------------------------------------------------------------------------- */

static void
print_service(const struct ordered *service)
{
	unsigned i;

	printf("%5u  %s", service->level, escape(service->name));
	for (i = 0; i < service->need_count; i++)
		printf("%s%s", i == 0 ? ", after " : ", ",
		    escape(services[service->needs[i]].name));
	putchar('\n');
}

static void
print_levels(void)
{
	unsigned i, level, highest = 0;

	for (i = 0; i < count; i++)
		if (services[i].chosen && services[i].level > highest)
			highest = services[i].level;
	for (level = 1; level <= highest; level++)
		for (i = 0; i < count; i++)
			if (services[i].chosen && services[i].level == level)
				print_service(&services[i]);
}

/* Who is in a circle, or depends on what is not there, has been said. */
static void
complain_of_waiting(void)
{
	char text[256];
	unsigned i, n;

	for (i = 0; i < count; i++) {
		if (!services[i].chosen || services[i].blocked ||
		    services[i].level > 0)
			continue;
		for (n = 0; services[services[i].needs[n]].level > 0; n++)
			continue;
		snprintf(text, sizeof(text), "waits for %.*s, which is never "
		    "started", STATE_NAME_MAX,
		    escape(services[services[i].needs[n]].name));
		complain(services[i].name, text);
	}
}

/* --- graphviz ----------------------------------------------------------------------- */

static void
print_quoted(const char *name)
{
	putchar('"');
	for (name = escape(name); *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			putchar('\\');
		putchar(*name);
	}
	putchar('"');
}

static void
print_dot(void)
{
	unsigned i, n;

	puts("digraph services {\n\trankdir=LR;");
	for (i = 0; i < count; i++) {
		if (!services[i].chosen)
			continue;
		putchar('\t');
		print_quoted(services[i].name);
		puts(services[i].level == 0 ? " [color=red];" : ";");
		for (n = 0; n < services[i].need_count; n++) {
			putchar('\t');
			print_quoted(services[services[i].needs[n]].name);
			fputs(" -> ", stdout);
			print_quoted(services[i].name);
			puts(";");
		}
	}
	puts("}");
}

void
graph_services(int argc, char **argv)
{
	int i, found = order_read(SERVICE_DIRECTORY, &services, complain);

	if (found == -1) {
		fprintf(stderr, "*** " SERVICE_DIRECTORY " cannot be read: %s\n",
		    strerror(errno));
		note(EXIT_FAILED);
		return;
	}
	count = (unsigned)found;
	for (i = 0; i < argc; i++)
		choose_named(service_name(argv[i]));
	for (i = 0; i < found && argc == 0; i++)
		services[i].chosen = true;
	if (options.given & OPTION_DOT)
		print_dot();
	else
		print_levels();
	fflush(stdout);
	complain_of_waiting();
}
