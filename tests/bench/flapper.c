/* A service that ends as soon as it has begun; it counts its starts. */
#include <sys/mman.h>

#include <unistd.h>

#include "page.h"

int
main(void)
{
	struct page *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED, STDOUT_FILENO, 0);

	if (page != MAP_FAILED)
		atomic_fetch_add(&page->running, 1);
	return 1;
}
