#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/directory.h"

char directory[64];

int
make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/my_init_unit.XXXXXX");
	assert_non_null(mkdtemp(directory));
	return 0;
}

int
remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}
