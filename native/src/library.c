/* The library's doors: arguments are checked here, and handed to the kernels of the instruction set in use. */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "kernels.h"
#include "processor.h"

static const oss_kernels *const compiled[] = {               /* best first */
#ifdef OSS_HAVE_AVX512
    &oss_kernels_avx512,
#endif
#ifdef OSS_HAVE_AVXVNNI
    &oss_kernels_avxvnni,
#endif
#ifdef OSS_HAVE_AVX2
    &oss_kernels_avx2,
#endif
#ifdef OSS_HAVE_NEON_I8MM
    &oss_kernels_neon_i8mm,
#endif
#ifdef OSS_HAVE_NEON_DOTPROD
    &oss_kernels_neon_dotprod,
#endif
#ifdef OSS_HAVE_NEON
    &oss_kernels_neon,
#endif
    &oss_kernels_portable,
};
enum { COMPILED = sizeof compiled / sizeof *compiled };

static _Atomic(const oss_kernels *) chosen;
int oss_read_ahead = 0;

static bool runs_here(const oss_kernels *kernels, processor_features has)
{
    const struct { const char *name; int is_there; } known[] = {
        {"avx512", has.avx512}, {"avxvnni", has.avxvnni}, {"avx2", has.avx2}, {"neon_i8mm", has.neon_i8mm}, {"neon_dotprod", has.neon_dotprod},
        {"neon", has.neon}, {"portable", 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(kernels->name, known[i].name) == 0) return known[i].is_there;
    return false;
}

static const oss_kernels *kernels(void)
{
    const oss_kernels *found = atomic_load_explicit(&chosen, memory_order_acquire);
    if (found) return found;
    processor_features has = detect_features();
    for (int i = 0; !found; i++)
        if (runs_here(compiled[i], has)) found = compiled[i];
    oss_read_ahead = has.read_ahead;
    atomic_store_explicit(&chosen, found, memory_order_release);
    return found;
}

int oss_version(void) { return OSS_VERSION; }
const char *oss_instruction_set(void) { return kernels()->name; }

const char *oss_instruction_sets(void)
{
    static char names[64];                                   /* whoever comes second writes the same */
    char all[64] = "";
    processor_features has = detect_features();
    for (int i = 0; i < COMPILED; i++)
        if (runs_here(compiled[i], has)) {
            if (*all) strcat(all, " ");
            strcat(all, compiled[i]->name);
        }
    memcpy(names, all, sizeof names);
    return names;
}

int oss_use(const char *name)
{
    processor_features has = detect_features();
    for (int i = 0; name && i < COMPILED; i++)
        if (strcmp(compiled[i]->name, name) == 0 && runs_here(compiled[i], has)) {
            oss_read_ahead = has.read_ahead;
            atomic_store_explicit(&chosen, compiled[i], memory_order_release);
            return OSS_OK;
        }
    return OSS_BAD_ARGUMENT;
}

/* -- what may be asked for ---------------------------------------------------------------------------------------- */

enum { HALF = 16 };

static int at_most(int threads) { return threads < 1 ? 1 : threads > OSS_MAX_THREADS ? OSS_MAX_THREADS : threads; }
static bool is_number(int type) { return type == OSS_F32 || type == OSS_F16 || type == OSS_BF16; }
static bool is_panel(int type) { return type == OSS_Q8 || type == OSS_Q4; }
static bool is_aligned(const void *p) { return (uintptr_t)p % 64 == 0; }

static bool is_matrix(const oss_matrix *m)
{
    if (!m || !m->codes || m->outputs < 1 || m->inputs < 1) return false;
    if (is_number(m->type)) return true;
    return is_panel(m->type) && (m->group == 32 || m->group == 64) && m->inputs % m->group == 0 && m->scales && m->unit > 0
        && is_aligned(m->codes) && is_aligned(m->scales) && is_aligned(m->biases);
}

static bool is_linear(const oss_linear *op, int64_t m)
{
    if (!op || !op->parts || op->num_parts < 1 || op->num_parts > 3 || m < 1) return false;
    for (int i = 0; i < op->num_parts; i++) {
        const oss_matrix *part = op->parts + i;
        if (!is_matrix(part) || part->type != op->parts->type || part->inputs != op->parts->inputs) return false;
        if (is_panel(part->type) && (part->group != op->parts->group || part->unit != op->parts->unit
                                     || !part->biases != !op->parts->biases)) return false;
    }
    if (op->norm < OSS_NO_NORM || op->norm > OSS_LAYER_NORM || (op->norm != OSS_NO_NORM && !op->norm_weight)) return false;
    if (op->activation == OSS_SWIGLU) return op->num_parts == 2 && op->parts[0].outputs == op->parts[1].outputs && !op->bias && !op->add;
    return op->activation == OSS_NO_ACTIVATION || op->activation == OSS_GELU;
}

static int64_t num_outputs(const oss_linear *op)
{
    int64_t sum = 0;
    for (int i = 0; i < (op->activation == OSS_SWIGLU ? 1 : op->num_parts); i++) sum += op->parts[i].outputs;
    return sum;
}

static bool has_room(const void *scratch, size_t bytes, size_t needed) { return bytes >= needed && is_aligned(scratch) && (scratch || !needed); }

static size_t filled_up(int32_t outputs) { return ((size_t)outputs + HALF - 1) / HALF * HALF; }

size_t oss_codes_bytes(int type, int32_t outputs, int32_t inputs)
{
    if (!is_panel(type) || outputs < 1 || inputs < 1 || inputs % 32) return 0;
    return filled_up(outputs) * (size_t)inputs / (type == OSS_Q4 ? 2 : 1);
}

size_t oss_scales_bytes(int32_t outputs, int32_t inputs, int32_t group)
{
    if (outputs < 1 || inputs < 1 || (group != 32 && group != 64) || inputs % group) return 0;
    return filled_up(outputs) * (size_t)(inputs / group) * 2;
}

int oss_quantize(const void *rows, int type, const oss_matrix *matrix, int threads)
{
    if (!rows || !is_number(type) || !is_matrix(matrix) || !is_panel(matrix->type)) return OSS_BAD_ARGUMENT;
    return kernels()->quantize(rows, type, matrix, at_most(threads));
}

int oss_repack(const uint32_t *words, int bits, const void *scales, const void *biases, int type, int32_t packed_group,
               const oss_matrix *matrix, int threads)
{
    bool is_known = (bits >= 2 && bits <= 6) || bits == 8;
    if (!words || !scales || !biases || !is_known || !is_number(type) || !is_matrix(matrix) || !is_panel(matrix->type) || !matrix->biases
        || (matrix->type == OSS_Q4) != (bits <= 4) || packed_group < matrix->group || packed_group % matrix->group
        || matrix->inputs % packed_group) return OSS_BAD_ARGUMENT;
    return oss_repack_panels(words, bits, scales, biases, type, packed_group, matrix, at_most(threads));
}

int oss_embed(const oss_matrix *matrix, const int64_t *ids, int64_t m, float *y, int64_t stride)
{
    if (!is_matrix(matrix) || !ids || !y || m < 1 || stride < matrix->inputs) return OSS_BAD_ARGUMENT;
    for (int64_t i = 0; i < m; i++)
        if (ids[i] < 0 || ids[i] >= matrix->outputs) return OSS_BAD_ARGUMENT;
    kernels()->embed(matrix, ids, m, y, stride);
    return OSS_OK;
}

size_t oss_linear_scratch(const oss_linear *op, int64_t m, int threads)
{
    return is_linear(op, m) ? kernels()->linear_scratch(op, m, at_most(threads)) : 0;
}

int oss_apply(const oss_linear *op, const float *x, int64_t x_stride, int64_t m, float *y, int64_t y_stride, oss_best *best,
              void *scratch, size_t scratch_bytes, int threads)
{
    if (!is_linear(op, m) || !x || !y || x_stride < op->parts->inputs || y_stride < num_outputs(op)
        || (best && (op->activation != OSS_NO_ACTIVATION || op->add || op->num_parts != 1))) return OSS_BAD_ARGUMENT;
    if (!has_room(scratch, scratch_bytes, kernels()->linear_scratch(op, m, at_most(threads)))) return OSS_BAD_SCRATCH;
    kernels()->apply(op, x, x_stride, m, y, y_stride, best, scratch, at_most(threads));
    return OSS_OK;
}

int oss_greedy(const float *logits, int64_t stride, int64_t m, int32_t n, oss_best *best, int threads)
{
    if (!logits || !best || m < 1 || n < 1 || stride < n) return OSS_BAD_ARGUMENT;
    kernels()->greedy(logits, stride, m, n, best, at_most(threads));
    return OSS_OK;
}

int oss_normalize(int norm, const float *weight, const float *bias, float eps, const float *x, int64_t x_stride, int64_t m,
                  int32_t n, float *y, int64_t y_stride, int threads)
{
    if ((norm != OSS_RMS_NORM && norm != OSS_LAYER_NORM) || !weight || !x || !y || m < 1 || n < 1 || x_stride < n || y_stride < n)
        return OSS_BAD_ARGUMENT;
    kernels()->normalize(norm, weight, bias, eps, x, x_stride, m, n, y, y_stride, at_most(threads));
    return OSS_OK;
}

static bool is_rotation(const oss_rotation *op)
{
    return op && op->q_norm && op->k_norm && op->cosines && op->sines && op->keys && op->values
        && (op->cache_type == OSS_F32 || op->cache_type == OSS_F16) && op->heads > 0 && op->kv_heads > 0 && op->head_dim > 1
        && op->head_dim % 2 == 0 && op->sequences > 0 && op->tokens > 0 && op->start >= 0
        && op->capacity >= (int64_t)op->start + op->tokens;
}

int oss_rotate(const oss_rotation *op, float *qkv, int64_t qkv_stride, int threads)
{
    if (!is_rotation(op) || !qkv || qkv_stride < (op->heads + 2 * (int64_t)op->kv_heads) * op->head_dim) return OSS_BAD_ARGUMENT;
    kernels()->rotate(op, qkv, qkv_stride, at_most(threads));
    return OSS_OK;
}

static bool is_attention(const oss_attention *op)
{
    if (!op || !op->keys || !op->values || (op->kv_type != OSS_F32 && op->kv_type != OSS_F16) || op->kv_heads < 1 || op->heads < op->kv_heads
        || op->heads % op->kv_heads || op->head_dim < 1 || op->sequences < 1 || op->tokens < 1 || op->length < op->tokens) return false;
    for (int i = 0; op->padding && i < op->sequences; i++)
        if (op->padding[i] < 0) return false;                /* more than length is a sequence that has not begun */
    return true;
}

size_t oss_attention_scratch(const oss_attention *op, int threads)
{
    return is_attention(op) ? kernels()->attention_scratch(op, at_most(threads)) : 0;
}

int oss_attend(const oss_attention *op, const float *q, int64_t q_stride, float *y, int64_t y_stride, void *scratch,
               size_t scratch_bytes, int threads)
{
    if (!is_attention(op) || !q || !y || q_stride < (int64_t)op->heads * op->head_dim || y_stride < (int64_t)op->heads * op->head_dim)
        return OSS_BAD_ARGUMENT;
    if (!has_room(scratch, scratch_bytes, kernels()->attention_scratch(op, at_most(threads)))) return OSS_BAD_SCRATCH;
    kernels()->attend(op, q, q_stride, y, y_stride, scratch, at_most(threads));
    return OSS_OK;
}

static oss_rotation rotation_of(const oss_layer *layer, const oss_pass *pass, int32_t index)
{
    return (oss_rotation){layer->q_norm, layer->k_norm, pass->cosines, pass->sines, pass->keys[index], pass->values[index], pass->eps,
                          pass->cache_type, pass->heads, pass->kv_heads, pass->head_dim, pass->sequences, pass->tokens, pass->start,
                          pass->capacity};
}

static oss_attention attention_of(const oss_pass *pass, int32_t index)
{
    int64_t head = (int64_t)pass->capacity * pass->head_dim;
    return (oss_attention){pass->keys[index], pass->values[index], pass->padding, head * pass->kv_heads, head, pass->head_dim, pass->cache_type,
                           pass->heads, pass->kv_heads, pass->head_dim, pass->sequences, pass->tokens, pass->start + pass->tokens, 1};
}

static bool is_layer(const oss_layer *layer, const oss_pass *pass, int32_t index)
{
    int64_t rows = (int64_t)pass->sequences * pass->tokens, width = (int64_t)pass->heads * pass->head_dim;
    if (rows < 1 || !is_linear(layer->qkv, rows) || !is_linear(layer->o, rows) || !is_linear(layer->gate_up, rows) || !is_linear(layer->down, rows))
        return false;
    oss_rotation rotation = rotation_of(layer, pass, index);
    if (!is_rotation(&rotation)) return false;               /* so start + tokens is a number */
    oss_attention attention = attention_of(pass, index);
    int32_t hidden = layer->qkv->parts->inputs;
    return is_attention(&attention) && !layer->qkv->add && !layer->gate_up->add && layer->o->add && layer->down->add
        && num_outputs(layer->qkv) == width + 2 * (int64_t)pass->kv_heads * pass->head_dim && layer->o->parts->inputs == width
        && num_outputs(layer->o) == hidden && layer->gate_up->parts->inputs == hidden
        && layer->down->parts->inputs == num_outputs(layer->gate_up) && num_outputs(layer->down) == hidden;
}

size_t oss_run_scratch(const oss_layer *layers, int32_t num_layers, const oss_pass *pass, int threads)
{
    if (!layers || !pass || num_layers < 1 || !pass->keys || !pass->values || !pass->qkv || !pass->attended || !pass->hidden) return 0;
    size_t most = 0;
    int64_t rows = (int64_t)pass->sequences * pass->tokens;
    for (int32_t i = 0; i < num_layers; i++) {
        if (!is_layer(layers + i, pass, i) || layers[i].qkv->parts->inputs != layers->qkv->parts->inputs) return 0;
        const oss_linear *ops[] = {layers[i].qkv, layers[i].o, layers[i].gate_up, layers[i].down};
        for (int j = 0; j < 4; j++) {
            size_t bytes = kernels()->linear_scratch(ops[j], rows, at_most(threads));
            most = bytes > most ? bytes : most;
        }
    }
    oss_attention attention = attention_of(pass, 0);
    size_t bytes = kernels()->attention_scratch(&attention, at_most(threads));
    return bytes > most ? bytes : most;
}

int oss_run(const oss_layer *layers, int32_t num_layers, const oss_pass *pass, float *x, int64_t x_stride, void *scratch,
            size_t scratch_bytes, int threads)
{
    size_t needed = oss_run_scratch(layers, num_layers, pass, threads);
    if (!needed || !x || x_stride < layers->qkv->parts->inputs) return OSS_BAD_ARGUMENT;
    if (!has_room(scratch, scratch_bytes, needed)) return OSS_BAD_SCRATCH;
    const oss_kernels *k = kernels();
    int64_t rows = (int64_t)pass->sequences * pass->tokens, width = (int64_t)pass->heads * pass->head_dim;
    threads = at_most(threads);
    for (int32_t i = 0; i < num_layers; i++) {
        const oss_layer *layer = layers + i;
        oss_rotation rotation = rotation_of(layer, pass, i);
        oss_attention attention = attention_of(pass, i);
        int64_t qkv_width = num_outputs(layer->qkv), hidden_width = num_outputs(layer->gate_up);
        k->apply(layer->qkv, x, x_stride, rows, pass->qkv, qkv_width, NULL, scratch, threads);
        k->rotate(&rotation, pass->qkv, qkv_width, threads);
        k->attend(&attention, pass->qkv, qkv_width, pass->attended, width, scratch, threads);
        k->apply(layer->o, pass->attended, width, rows, x, x_stride, NULL, scratch, threads);
        k->apply(layer->gate_up, x, x_stride, rows, pass->hidden, hidden_width, NULL, scratch, threads);
        k->apply(layer->down, pass->hidden, hidden_width, rows, x, x_stride, NULL, scratch, threads);
    }
    return OSS_OK;
}

static bool is_convolution(const oss_matrix *weight, int32_t items, int32_t height, int32_t width)
{
    return is_matrix(weight) && is_number(weight->type) && weight->inputs % 9 == 0 && items > 0 && height > 0 && width > 0;
}

size_t oss_convolve_scratch(const oss_matrix *weight, int32_t items, int32_t height, int32_t width, int threads)
{
    return is_convolution(weight, items, height, width) ? kernels()->convolve_scratch(weight, items, height, width, at_most(threads)) : 0;
}

int oss_convolve(const oss_matrix *weight, const float *bias, const float *x, int32_t items, int32_t height, int32_t width, float *y,
                 void *scratch, size_t scratch_bytes, int threads)
{
    if (!is_convolution(weight, items, height, width) || !bias || !x || !y) return OSS_BAD_ARGUMENT;
    if (!has_room(scratch, scratch_bytes, kernels()->convolve_scratch(weight, items, height, width, at_most(threads)))) return OSS_BAD_SCRATCH;
    kernels()->convolve(weight, bias, x, items, height, width, y, scratch, at_most(threads));
    return OSS_OK;
}

int64_t oss_measure_read(const void *memory, size_t bytes, int threads)
{
    return memory && bytes >> 20 ? kernels()->measure_read(memory, bytes, at_most(threads)) : 0;
}

double oss_measure_arithmetic(int type, int64_t rounds, int threads)
{
    return (type == OSS_F32 || type == OSS_Q8) && rounds > 0 ? kernels()->measure_arithmetic(type, rounds, at_most(threads)) : 0;
}
