/* Text from outside, made fit for a terminal or a log. */
#ifndef PROTO_ESCAPE_H
#define PROTO_ESCAPE_H

const char *escape(const char *);

#endif
