/* sys/vfs.h: as elsewhere, sys/statfs.h. */
#include <sys/statfs.h>
