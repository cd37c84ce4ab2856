/* Claims of pool.h. Says what it checked, and leaves with 1 at the first that does not hold.
 *
 * `test_pool no-fork` leaves out what forks: ThreadSanitizer and QEMU's user mode cannot start threads in a forked child.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ossicle.h"
#include "pool.h"

#define CHECK(claim) \
    do { \
        if (!(claim)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
            _Exit(1); \
        } \
    } while (0)

enum { MOST = 4096 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void pause_for(long microseconds)
{
    struct timespec length = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
    nanosleep(&length, NULL);
}

/* -- each index once ---------------------------------------------------------------------------------------------- */

/* Plain memory on purpose: a second run of an index is a race that ThreadSanitizer sees. */
struct tally {
    int threads;
    int runs[MOST];
};

static void mark(void *context, int64_t index, int thread)
{
    struct tally *tally = context;
    CHECK(thread >= 0 && thread < tally->threads);
    tally->runs[index]++;
}

static void check_call(struct tally *tally, int threads, int64_t count)
{
    tally->threads = threads < 1 ? 1 : threads;
    memset(tally->runs, 0, sizeof tally->runs);
    oss_parallel(threads, count, mark, tally);
    for (int64_t index = 0; index < MOST; index++)
        CHECK(tally->runs[index] == (index < count));
}

static void every_index_runs_once(void)
{
    static const int threads[] = {-1, 0, 1, 2, 3, 8, OSS_MAX_THREADS + 1};
    static const int64_t counts[] = {-1, 0, 1, 2, 3, 7, 8, 9, 100, MOST};
    static struct tally tally;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            check_call(&tally, threads[t], counts[c]);
}

static void *call_often(void *rounds)
{
    struct tally *tally = malloc(sizeof *tally);
    CHECK(tally != NULL);
    for (int round = 0; round < *(int *)rounds; round++)
        check_call(tally, 2 + round % 3, 1 + round % 13);
    free(tally);
    return NULL;
}

static void quick_calls_lose_nothing(void)
{
    int rounds = 5000;
    call_often(&rounds);
}

static void callers_take_turns(void)
{
    int rounds = 1000;
    pthread_t callers[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&callers[i], NULL, call_often, &rounds) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
}

static void add(void *context, int64_t index, int thread)
{
    ((int64_t *)context)[16 * thread] += index;
}

static void long_counts_are_split(void)
{
    int64_t count = ((int64_t)1 << 24) + 1000, sums[32] = {0};
    oss_parallel(2, count, add, sums);
    CHECK(sums[0] + sums[16] == count * (count - 1) / 2);
}

/* -- who takes part ----------------------------------------------------------------------------------------------- */

struct meeting {
    int expected;
    atomic_int here;
    atomic_int who[OSS_MAX_THREADS];
};

/* Nobody leaves before all have come, so each must be run by a thread of its own. */
static void meet(void *context, int64_t index, int thread)
{
    struct meeting *meeting = context;
    (void)index;
    atomic_fetch_add(&meeting->who[thread], 1);
    atomic_fetch_add(&meeting->here, 1);
    double start = seconds();
    while (atomic_load(&meeting->here) < meeting->expected) {
        CHECK(seconds() - start < 30);
        pause_for(20);
    }
}

static void check_meeting(int threads)
{
    struct meeting meeting = {.expected = threads};
    oss_parallel(threads, threads, meet, &meeting);
    for (int thread = 0; thread < OSS_MAX_THREADS; thread++)
        CHECK(atomic_load(&meeting.who[thread]) == (thread < threads));
}

static void pool_grows_and_small_calls_stay_small(void)
{
    static struct tally tally;
    for (int threads = 2; threads <= 12; threads += 5) {
        check_meeting(threads);
        check_meeting(2);
        check_call(&tally, 2, 500);
    }
}

static void call_inside(void *context, int64_t index, int thread)
{
    (void)index, (void)thread;
    struct tally *inner = malloc(sizeof *inner);
    CHECK(inner != NULL);
    inner->threads = 1;                          /* run by the thread that asked, as thread 0 */
    memset(inner->runs, 0, sizeof inner->runs);
    oss_parallel(8, 20, mark, inner);
    for (int i = 0; i < 20; i++)
        atomic_fetch_add((atomic_int *)context, inner->runs[i]);
    free(inner);
}

static void calls_inside_tasks_run_alone(void)
{
    atomic_int runs = 0;
    oss_parallel(4, 50, call_inside, &runs);
    CHECK(atomic_load(&runs) == 50 * 20);
}

/* -- sleeping, waking, forking ------------------------------------------------------------------------------------ */

/* Pauses around the time after which workers sleep: some find them awake, some asleep, some on the way. */
static void sleepers_wake(void)
{
    for (int round = 0; round < 400; round++) {
        pause_for(round % 40 == 0 ? 3000 : 5 * (round % 40));
        check_meeting(2 + round % 3);
    }
}

static void stay_late(void *context, int64_t index, int thread)
{
    (void)index;
    pause_for(thread == 0 ? 100 : 2000);
    atomic_fetch_add((atomic_int *)context, 1);
}

/* The caller has run out of work long before the workers are done, and sleeps. */
static void caller_waits_for_stragglers(void)
{
    for (int round = 0; round < 50; round++) {
        atomic_int runs = 0;
        oss_parallel(3, 3, stay_late, &runs);
        CHECK(atomic_load(&runs) == 3);
    }
}

static void fork_and_compute(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        check_meeting(4);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void children_have_workers_of_their_own(void)
{
    check_meeting(4);
    fork_and_compute();
    check_meeting(4);

    int rounds = 3000;                           /* and while the pool works for another thread */
    pthread_t caller;
    CHECK(pthread_create(&caller, NULL, call_often, &rounds) == 0);
    for (int i = 0; i < 5; i++)
        fork_and_compute();
    pthread_join(caller, NULL);
}

int main(int count, char **arguments)
{
    static const struct { const char *claim; void (*check)(void); } claims[] = {
        {"every index runs once", every_index_runs_once},
        {"quick calls lose nothing", quick_calls_lose_nothing},
        {"callers take turns", callers_take_turns},
        {"long counts are split", long_counts_are_split},
        {"the pool grows, and small calls stay small", pool_grows_and_small_calls_stay_small},
        {"calls inside tasks run alone", calls_inside_tasks_run_alone},
        {"sleepers wake", sleepers_wake},
        {"the caller waits for stragglers", caller_waits_for_stragglers},
        {"children have workers of their own", children_have_workers_of_their_own},
    };
    bool can_fork = count < 2 || strcmp(arguments[1], "no-fork") != 0;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        if (claims[i].check == children_have_workers_of_their_own && !can_fork)
            continue;
        double start = seconds();
        claims[i].check();
        printf("%-45s %6.2f s\n", claims[i].claim, seconds() - start);
        fflush(stdout);
    }
    return 0;
}
