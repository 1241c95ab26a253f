/* A service that writes lines of 100 bytes, each at once, as fast as it can. */
#include <string.h>
#include <unistd.h>

int
main(void)
{
	char line[100];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (write(STDOUT_FILENO, line, sizeof(line)) > 0)
		continue;
	return 1;
}
