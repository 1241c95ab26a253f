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
	slot->flags &= (uint8_t)~SLOT_SAYS;
	table_changed(&slot->sequence);
}

static void
set(struct service *service, const char *text, bool says)
{
	struct state_slot *slot = service_slot(service);
	size_t length = strlen(text);
	unsigned i = 0;

	if (slot->reason != 0)
		i = slot->reason - 1u;
	else
		while (i < STATE_REASONS && table->reasons[i][0] != '\0')
			i++;
	if (i == STATE_REASONS || length == 0)
		return;
	/* Not cut within a character. */
	if (length > STATE_REASON_MAX)
		for (length = STATE_REASON_MAX;
		    length > 0 && (text[length] & 0xc0) == 0x80; length--)
			continue;
	table_change(&slot->sequence);
	slot->reason = (uint8_t)(i + 1);
	slot->flags &= (uint8_t)~SLOT_SAYS;
	if (says)
		slot->flags |= SLOT_SAYS;
	memcpy(text_of(slot), text, length);
	text_of(slot)[length] = '\0';
	table_changed(&slot->sequence);
}

/*
 * The reason from now on, of which what comes from outside has been escaped.  If as
 * many services as can have one do, the log alone has it.
 */
void
reason_set(struct service *service, const char *format, ...)
{
	char text[4 * STATE_REASON_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	set(service, text, false);
}

/* What it says of itself, escaped here; of no account where there is a reason. */
void
reason_say(struct service *service, const char *text)
{
	const struct state_slot *slot = service_slot(service);

	if (slot->reason != 0 && !(slot->flags & SLOT_SAYS))
		return;
	if (*text == '\0')
		reason_clear(service);
	else
		set(service, escape(text), true);
	gatekeeper_wake();
}

/* Is this what it says of itself? */
bool
reason_is_said(const struct service *service, const char *text)
{
	const struct state_slot *slot = service_slot(service);

	return slot->reason != 0 && slot->flags & SLOT_SAYS &&
	    strcmp(text_of(slot), text) == 0;
}
