/* What the machine can do: how fast it reads, and how fast it multiplies. */

typedef struct read_job {
    const char *memory;
    int64_t bytes, block;
    int64_t sums[OSS_MAX_THREADS];
} read_job;

static void read_task(void *context, int64_t index, int thread)
{
    read_job *job = context;
    const float *p = (const float *)(job->memory + index * job->block), *end = p + job->block / 4;
    const int64_t ahead = oss_read_ahead;
    V tops[4];                       /* from end to end, as the products do it for one row */
    UNROLL for (int s = 0; s < 4; s++) tops[s] = v_load(p);
    for (; p < end; p += 64) {
        UNROLL for (int j = 0; j < 4; j++) PREFETCH((const char *)(p + 16 * j) + ahead);
        UNROLL for (int j = 0; j < 64 / VW; j++) tops[j % 4] = v_max(tops[j % 4], v_load(p + j * VW));
    }
    job->sums[thread] += v_top(v_max(v_max(tops[0], tops[1]), v_max(tops[2], tops[3]))) > 0;
}

static int64_t measure_read(const void *memory, size_t bytes, int threads)
{
    read_job job = {.memory = memory, .bytes = (int64_t)bytes, .block = 1 << 20};
    oss_parallel(threads, (int64_t)bytes / job.block, read_task, &job);
    int64_t sum = 0;
    for (int i = 0; i < OSS_MAX_THREADS; i++) sum += job.sums[i];
    return sum;
}

typedef struct arithmetic_job {
    int64_t rounds;
    float results[OSS_MAX_THREADS];
    int type;
} arithmetic_job;

enum { CHAINS = 12 };                /* independent sums, more than the longest latency needs */

static void arithmetic_task(void *context, int64_t index, int thread)
{
    arithmetic_job *job = context;
    float result = 0;
    if (job->type == OSS_F32) {
        V sums[CHAINS], a = v_set(0.999f), b = v_set(0.001f * (float)index);
        UNROLL for (int i = 0; i < CHAINS; i++) sums[i] = v_set((float)i);
        for (int64_t n = 0; n < job->rounds; n++)
            UNROLL for (int i = 0; i < CHAINS; i++) sums[i] = v_fma(sums[i], a, b);
        for (int i = 0; i < CHAINS; i++) result += v_sum(sums[i]);
    } else {
        uint8_t codes[64];
        memset(codes, 129, sizeof codes);
        I sums[CHAINS], x = i_set(0x01020304);
        W w = w_load(codes, 0);
        UNROLL for (int i = 0; i < CHAINS; i++) sums[i] = i_set(i);
        for (int64_t n = 0; n < job->rounds; n++)
            UNROLL for (int i = 0; i < CHAINS; i++) sums[i] = i_dot(sums[i], w, x);
        for (int i = 0; i < CHAINS; i++) result += (float)i_sum(sums[i]);
    }
    job->results[thread] += result;
}

static double measure_arithmetic(int type, int64_t rounds, int threads)
{
    arithmetic_job job = {.rounds = rounds, .type = type};
    oss_parallel(threads, threads, arithmetic_task, &job);
    volatile float keep = job.results[0];
    (void)keep;
    return 2.0 * VW * (type == OSS_F32 ? 1 : 4) * CHAINS * (double)rounds * threads;
}
