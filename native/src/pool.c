/* The pool of threads. Indices are taken one by one, so a thread that the system preempts holds up one index, no more.
 *
 * A call is described by one 64-bit word, {threads:16, count:24, next:24}, beside its task and context. To claim an index is
 * to replace that word by its successor, in one step; whoever succeeds holds an index of the call that the word speaks of at
 * that moment, however long ago the word was first looked at. Only then are task and context read: they cannot change
 * before the claimed index is counted as done. So a worker that slept through any number of calls can do nothing wrong.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L      /* clock_gettime, under -std=c11 */
#endif

#include "pool.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "ossicle.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <process.h>
#include <windows.h>
#else
#include <pthread.h>
#include <signal.h>
#include <time.h>
#endif

/* How long a thread that has nothing to do looks for more before it sleeps. To wake one that sleeps took 30 to 55 us, one
 * that looks, less than 1 us (two cores of a virtual AMD EPYC); who looks about as long as sleeping and waking costs never
 * loses more than twice what the better choice would have. The gaps between the products of one step are far shorter. */
enum { SPIN_NANOSECONDS = 100000 };
enum { LOOKS_PER_CLOCK = 64 };       /* looks between two readings of the clock: some 2 us */

enum { INDEX_BITS = 24 };
#define MOST_INDICES (((int64_t)1 << INDEX_BITS) - 1)

/* -- what differs between systems --------------------------------------------------------------------------------- */

#ifdef _WIN32

typedef SRWLOCK oss_lock;
typedef CONDITION_VARIABLE oss_signal;
#define LOCK_FREE_NOW SRWLOCK_INIT

static inline void lock(oss_lock *l) { AcquireSRWLockExclusive(l); }
static inline bool try_lock(oss_lock *l) { return TryAcquireSRWLockExclusive(l) != 0; }
static inline void unlock(oss_lock *l) { ReleaseSRWLockExclusive(l); }
static inline void await_signal(oss_signal *s, oss_lock *l) { SleepConditionVariableSRW(s, l, INFINITE, 0); }
static inline void send_signal(oss_signal *s) { WakeConditionVariable(s); }
static inline void prepare_lock(oss_lock *l) { InitializeSRWLock(l); }
static inline void prepare_signal(oss_signal *s) { InitializeConditionVariable(s); }

static inline int64_t clock_nanoseconds(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)per_second.QuadPart);
}

static inline void rest(void) { YieldProcessor(); }

#else

typedef pthread_mutex_t oss_lock;
typedef pthread_cond_t oss_signal;
#define LOCK_FREE_NOW PTHREAD_MUTEX_INITIALIZER

static inline void lock(oss_lock *l) { pthread_mutex_lock(l); }
static inline bool try_lock(oss_lock *l) { return pthread_mutex_trylock(l) == 0; }
static inline void unlock(oss_lock *l) { pthread_mutex_unlock(l); }
static inline void await_signal(oss_signal *s, oss_lock *l) { pthread_cond_wait(s, l); }
static inline void send_signal(oss_signal *s) { pthread_cond_signal(s); }
static inline void prepare_lock(oss_lock *l) { pthread_mutex_init(l, NULL); }
static inline void prepare_signal(oss_signal *s) { pthread_cond_init(s, NULL); }

static inline int64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Leave the core to its other hardware thread for a moment. */
static inline void rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");         /* `yield` does nothing on most arm64 cores; this empties the pipeline, some 10 ns */
#endif
}

#endif

/* -- the pool ----------------------------------------------------------------------------------------------------- */

/* What threads write often stands on lines of its own: 128 bytes, which processors fetch in pairs of 64 or as one. */
static struct {
    _Alignas(128) _Atomic uint64_t work;         /* the word of the call at work */
    _Alignas(128) _Atomic int64_t done;          /* its indices that have been run */
    _Alignas(128) atomic_bool asleep[OSS_MAX_THREADS];
    struct { oss_lock lock; oss_signal signal; } beds[OSS_MAX_THREADS];     /* where each thread sleeps; 0 is the caller's */

    oss_lock turn;                                 /* held by the caller whom the pool works for; all below is its to write */
    oss_task *task;
    void *context;
    int64_t first, count;                        /* of the indices that the word counts from 0 */
    int workers;
    bool is_prepared;                            /* what is done once in a process is done */
} pool = {.turn = LOCK_FREE_NOW};

static _Thread_local bool is_inside;             /* a task, that is: always, in workers */

static inline uint64_t word_of(int threads, int64_t count)
{
    return (uint64_t)threads << 2 * INDEX_BITS | (uint64_t)count << INDEX_BITS;
}

static inline int64_t next_of(uint64_t work) { return (int64_t)(work & (uint64_t)MOST_INDICES); }

/* Is there an index left for this thread? */
static inline bool is_open(uint64_t work, int thread)
{
    return next_of(work) < next_of(work >> INDEX_BITS) && thread < (int)(work >> 2 * INDEX_BITS);
}

/* What a thread can wait for. They read in the one order of all sequentially consistent operations: see `sleep_until`. */
static bool has_work(int thread) { return is_open(atomic_load(&pool.work), thread); }
static bool is_done(int thread) { (void)thread; return atomic_load(&pool.done) == pool.count; }
static bool take_turn(int thread) { (void)thread; return try_lock(&pool.turn); }

static bool spin_until(bool (*ready)(int), int thread)
{
    int64_t end = 0;
    for (;;) {
        for (int look = 0; look < LOOKS_PER_CLOCK; look++) {
            if (ready(thread))
                return true;
            rest();
        }
        int64_t now = clock_nanoseconds();
        if (end == 0)
            end = now + SPIN_NANOSECONDS;
        else if (now >= end)
            return false;
    }
}

/* The sleeper says that it sleeps, then looks once more; who has something for it writes that down, then looks who sleeps.
 * In one order of these four, either the sleeper sees what was written, or the writer sees the sleeper. They write by exchange,
 * the same instruction as a store on x86, because QEMU lets arm64's stores of that order be overtaken by later loads. */
static void sleep_until(bool (*ready)(int), int thread)
{
    lock(&pool.beds[thread].lock);
    (void)atomic_exchange(&pool.asleep[thread], true);
    while (!ready(thread))
        await_signal(&pool.beds[thread].signal, &pool.beds[thread].lock);
    atomic_store(&pool.asleep[thread], false);
    unlock(&pool.beds[thread].lock);
}

static void wake_if_asleep(int thread)
{
    if (!atomic_load(&pool.asleep[thread]))
        return;
    lock(&pool.beds[thread].lock);               /* free once the sleeper awaits its signal */
    unlock(&pool.beds[thread].lock);
    send_signal(&pool.beds[thread].signal);
}

static bool claim(int thread, int64_t *index)
{
    uint64_t work = atomic_load_explicit(&pool.work, memory_order_relaxed);
    while (is_open(work, thread)) {
        if (atomic_compare_exchange_weak_explicit(&pool.work, &work, work + 1, memory_order_acquire, memory_order_relaxed)) {
            *index = next_of(work);
            return true;
        }
    }
    return false;
}

static void take_part(int thread)
{
    int64_t index, ran = 0, count = 0;
    while (claim(thread, &index)) {
        pool.task(pool.context, pool.first + index, thread);
        count = pool.count;                      /* read while the call cannot end */
        ran++;
    }
    if (ran > 0 && atomic_fetch_add(&pool.done, ran) + ran == count && thread != 0)
        wake_if_asleep(0);
}

static void work_forever(int thread)
{
    is_inside = true;
    for (;;) {
        if (!spin_until(has_work, thread))
            sleep_until(has_work, thread);
        take_part(thread);
    }
}

/* -- workers ------------------------------------------------------------------------------------------------------ */

#ifdef _WIN32

static unsigned __stdcall begin_worker(void *number) { work_forever((int)(intptr_t)number); return 0; }

static bool start_worker(int thread)
{
    uintptr_t handle = _beginthreadex(NULL, 0, begin_worker, (void *)(intptr_t)thread, 0, NULL);
    return handle != 0 && CloseHandle((HANDLE)handle);
}

/* Workers never end, so their code must stay. */
static void prepare_process(void)
{
    HMODULE module;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, (LPCWSTR)&pool, &module);
}

#else

static void *begin_worker(void *number) { work_forever((int)(intptr_t)number); return NULL; }

/* Signals are for the threads of the program, but for those that a worker's own fault raises. */
static bool start_worker(int thread)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++)
        sigdelset(&blocked, own_faults[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    pthread_t worker;
    bool is_started = pthread_create(&worker, NULL, begin_worker, (void *)(intptr_t)thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started)
        pthread_detach(worker);
    return is_started;
}

/* After fork() only the thread that forked is there. The pool is put back to its beginning, whatever it was doing. */
static void forget_workers(void)
{
    prepare_lock(&pool.turn);
    atomic_store(&pool.work, 0);
    for (int thread = 0; thread < OSS_MAX_THREADS; thread++)
        atomic_store(&pool.asleep[thread], false);
    pool.workers = 0;
}

static void prepare_process(void) { pthread_atfork(NULL, NULL, forget_workers); }

#endif

static void make_bed(int thread)
{
    prepare_lock(&pool.beds[thread].lock);
    prepare_signal(&pool.beds[thread].signal);
}

/* Where the system gives fewer threads than wanted, the work is done by those there are. */
static void grow(int workers)
{
    if (!pool.is_prepared) {
        prepare_process();
        pool.is_prepared = true;
    }
    if (pool.workers == 0)
        make_bed(0);
    while (pool.workers < workers) {
        make_bed(pool.workers + 1);
        if (!start_worker(pool.workers + 1))
            break;
        pool.workers++;
    }
}

/* -- the call ----------------------------------------------------------------------------------------------------- */

static int least(int64_t a, int64_t b) { return (int)(a < b ? a : b); }

static void run_alone(int64_t count, oss_task *task, void *context)
{
    for (int64_t index = 0; index < count; index++)
        task(context, index, 0);
}

static void run_together(int threads)
{
    atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
    (void)atomic_exchange(&pool.work, word_of(threads, pool.count));
    for (int thread = 1; thread < threads; thread++)
        wake_if_asleep(thread);
    take_part(0);
    if (!spin_until(is_done, 0))
        sleep_until(is_done, 0);
}

void oss_parallel(int threads, int64_t count, oss_task *task, void *context)
{
    threads = least(least(threads, OSS_MAX_THREADS), count);
    if (threads <= 1 || is_inside) {
        run_alone(count, task, context);
        return;
    }
    if (!spin_until(take_turn, 0))
        lock(&pool.turn);
    is_inside = true;
    grow(threads - 1);
    pool.task = task;
    pool.context = context;
    for (pool.first = 0; pool.first < count; pool.first += pool.count) {
        pool.count = least(count - pool.first, MOST_INDICES);
        run_together(least(threads, pool.workers + 1));
    }
    is_inside = false;
    unlock(&pool.turn);
}
