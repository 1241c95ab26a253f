/*
 * Why a service has failed or been restarted, for status: a text in the state table,
 * which the next supervisor finds there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor.h"

static char *
text_of(const struct state_slot *slot)
{
	return table->reasons[slot->reason - 1];
}

/* Forgets the reason, if there is one. */
void
reason_clear(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	if (slot->reason == 0)
		return;
	table_change(&slot->sequence);
	text_of(slot)[0] = '\0';
	slot->reason = 0;
	table_changed(&slot->sequence);
}

/*
 * The reason from now on, of which what comes from outside has been escaped.  If as
 * many services as can have one do, the log alone has it.
 */
void
reason_set(struct service *service, const char *format, ...)
{
	struct state_slot *slot = service_slot(service);
	char text[STATE_REASON_MAX + 1];
	va_list arguments;
	unsigned i = 0;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (slot->reason != 0)
		i = slot->reason - 1u;
	else
		while (i < STATE_REASONS && table->reasons[i][0] != '\0')
			i++;
	if (i == STATE_REASONS || text[0] == '\0')
		return;
	table_change(&slot->sequence);
	slot->reason = (uint8_t)(i + 1);
	strcpy(text_of(slot), text);
	table_changed(&slot->sequence);
}
