#ifndef OSS_PROCESSOR_H
#define OSS_PROCESSOR_H

typedef struct processor_features {
    int avx512, avxvnni, avx2, neon_i8mm, neon_dotprod, neon;
    int read_ahead;                  /* see kernels.h */
} processor_features;

processor_features detect_features(void);

#endif
