/* One pool of threads for the whole process: a task and a count go in, every index has been run when the call returns.
 *
 * Knows nothing of what the tasks compute.
 */
#ifndef OSSICLE_POOL_H
#define OSSICLE_POOL_H

#include <stdint.h>

/* One piece of work. `thread` is below the number of threads of the call, and no two pieces run under the same number at
 * the same time, so it may choose a piece of scratch memory. */
typedef void oss_task(void *context, int64_t index, int thread);

/* Run the task for the indices 0 to count - 1, each once, in any order, on at most `threads` threads: the caller's, which
 * is thread 0, and workers. What the tasks wrote can be read when the call returns. While the pool works for another
 * thread, the caller waits for its turn. Inside a task, or with one thread, or with one index, the caller runs all by itself. */
void oss_parallel(int threads, int64_t count, oss_task *task, void *context);

#endif
