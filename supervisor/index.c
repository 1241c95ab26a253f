/* Which services there are: by slot, and by name. */
#include <string.h>

#include "supervisor.h"

#define BUCKETS	1024

static struct service services[STATE_SLOTS];
static uint16_t buckets[BUCKETS];	/* 1 + the number of a slot; 0 ends */
_Static_assert(STATE_SLOTS < UINT16_MAX, "a slot's number fits");

struct state_slot *
service_slot(const struct service *service)
{
	return &table->slots[service - services];
}

/* The first service (after NULL), or the next one; NULL at the end. */
struct service *
service_next(const struct service *service)
{
	uint32_t i = service == NULL ? 0 : (uint32_t)(service - services) + 1;

	for (; i < table->header.slots_used; i++)
		if (table->slots[i].name[0] != '\0')
			return &services[i];
	return NULL;
}

struct service *
service_at(unsigned slot)
{
	return &services[slot];
}

/* What links in 16 bits hold: service_at() of one less is that service; 0 is none. */
uint16_t
service_number(const struct service *service)
{
	return (uint16_t)(1 + (service - services));
}

/* --- by name: chains through the services themselves ------------------------------ */

/* FNV-1a. */
uint32_t
index_hash(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static uint16_t *
bucket_of(const char *name)
{
	uint32_t hash = index_hash(name);

	return &buckets[(hash ^ hash >> 16) % BUCKETS];
}

struct service *
index_find(const char *name)
{
	struct service *service;
	uint16_t i;

	for (i = *bucket_of(name); i != 0; i = service->next) {
		service = service_at(i - 1u);
		if (strcmp(service_slot(service)->name, name) == 0)
			return service;
	}
	return NULL;
}

void
index_insert(struct service *service)
{
	uint16_t *bucket = bucket_of(service_slot(service)->name);

	service->next = *bucket;
	*bucket = service_number(service);
}

static void
delete(struct service *service)
{
	uint16_t *link = bucket_of(service_slot(service)->name);

	while (service_at(*link - 1u) != service)
		link = &service_at(*link - 1u)->next;
	*link = service->next;
}

/* --- coming and going ---------------------------------------------------------- */

/*
 * A slot for a service of that name, down as yet; NULL if there is none.  Started
 * by service_want; if this supervisor does not get there, by the next.  Early: on
 * a startup script's word, and to be stopped last.
 */
struct service *
service_add(const char *name, enum service_want want, bool early)
{
	struct state_header *header = &table->header;
	struct state_slot *slot;
	uint32_t i;

	for (i = 0; i < header->slots_used; i++)
		if (table->slots[i].name[0] == '\0')
			break;
	if (i == STATE_SLOTS)
		return NULL;
	slot = &table->slots[i];
	table_change(&slot->sequence);
	memset(&slot->condition, 0,
	    sizeof(*slot) - offsetof(struct state_slot, condition));
	slot->state = SERVICE_DOWN;
	slot->want = (uint8_t)want;
	slot->flags = early ? SLOT_EARLY : 0;
	slot->since_ms = now_ms();
	if (i == header->slots_used)
		header->slots_used++;
	atomic_signal_fence(memory_order_seq_cst);
	strcpy(slot->name, name);
	table_changed(&slot->sequence);
	service_prepare(&services[i]);
	return &services[i];
}

/* Gives the slot of a service that is down to others. */
void
service_remove(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	supervise_forget(service);
	setting_forget(service);
	ending_name(service, 0, -1);
	reason_clear(service);
	hook_forget(service);
	probe_end(service);
	watchdog_end(service);
	service->told = 0;
	depend_forget(service);
	delete(service);
	logger_forget(service);
	lines_release(service);
	service_timer(service, 0);
	table_change(&slot->sequence);
	slot->name[0] = '\0';
	table_changed(&slot->sequence);
}
