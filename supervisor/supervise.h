/*
 * supervise/ of a service's directory: supervise.c says when it is written, claim.c
 * whether it is ours to write, runit.c what.
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "supervisor.h"

#define SUPERVISE	"supervise"

/* claim.c */
void	claim_begin(void);
int	claim_open(struct service *);
void	claim_end(struct service *);

/* runit.c: what is said, and told, in runit's words */
void	runit_write(int directory, const struct state_slot *);
void	runit_remove(int directory);
void	runit_obey(const struct service *, char command);

#endif
