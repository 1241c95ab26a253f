/* Services by name: a hash of chains through the services themselves. */
#include <string.h>

#include "supervisor.h"

#define BUCKETS	1024

static uint16_t buckets[BUCKETS];	/* 1 + the number of a slot; 0 ends */
_Static_assert(STATE_SLOTS < UINT16_MAX, "a slot's number fits");

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
	*bucket = (uint16_t)(1 + (service - service_at(0)));
}

void
index_delete(struct service *service)
{
	uint16_t *link = bucket_of(service_slot(service)->name);

	while (service_at(*link - 1u) != service)
		link = &service_at(*link - 1u)->next;
	*link = service->next;
}
