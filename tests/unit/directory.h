/* A directory of a test's own: setup and teardown of cmocka. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

extern char directory[64];
int	make_directory(void **state);
int	remove_directory(void **state);

#endif
