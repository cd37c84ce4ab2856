/* All kernels over the vocabulary that was included before, and their table. */
#include "common.h"
#include "tile.h"
#include "linear.h"
#ifdef DOT_PAIRS
#include "pairs.h"
#endif
#include "dot.h"
#include "dense.h"
#include "rows.h"
#include "apply.h"
#include "attention.h"
#include "convolve.h"
#include "measure.h"

const oss_kernels OSS_TABLE = {
    OSS_NAME, quantize, embed, linear_scratch, apply, greedy, normalize, rotate, attention_scratch, attend, convolve_scratch, convolve,
    measure_read, measure_arithmetic,
};
