/* Nothing: what it costs to start and to stop. */
#include "bench.h"

u64 bench_main(void) { return 0; }
