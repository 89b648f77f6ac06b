/* wait.h: as elsewhere, sys/wait.h. */
#include <sys/wait.h>
