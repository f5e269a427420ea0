/* A training whose scores are affine, Z = X W' + b: for each batch the scores, the slope of the loss in them, the
   gradient, and the optimizer's step. types.c, losses.c, optimizers.c and training.c are compiled as one, in this order:
   here is what they have in common.

   Compiled once for float (-DSIGHTLINE_FLOAT) and once for double. Each formula has the order of operations, and at
   kinks the subgradient, of the PyTorch kernel that it stands for, in the same precision. Sums over the rows of a batch
   and over the columns are double in both, so what differs from PyTorch is the rounding of its sums.

   Every field of a struct has eight bytes, so that its twin in loop.py needs no rules of alignment. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#ifdef SIGHTLINE_FLOAT
typedef float real;
#define EXP expf
#define LOG logf
#define SQRT sqrtf
#define FUSED fmaf
#else
typedef double real;
#define EXP exp
#define LOG log
#define SQRT sqrt
#define FUSED fma
#endif

/* a b + c rounded once, where PyTorch's kernels do so: on processors that can. The compiler must not fuse on its own
   (-ffp-contract=off). */
#if !defined(__FMA__) && !defined(__aarch64__)
#undef FUSED
#define FUSED(a, b, c) ((a) * (b) + (c))
#endif

enum { SQUARED, ABSOLUTE, HUBER, SMOOTH_ABSOLUTE, LOGITS, SIGMOID, SOFT_MARGIN, HINGE, SQUARED_HINGE, POISSON,
       CROSS_ENTROPY, MULTI_MARGIN };
enum { SGD, ADAM, RMSPROP, ADAGRAD, BY_HAND };
enum { MOMENTUM = 0, DAMPENING = 1 };                    /* SGD's numbers */
enum { BETA1 = 0, BETA2 = 1, EPS = 2, ALPHA = 0, RMS_MOMENTUM = 1, RATE_DECAY = 0 };

typedef struct {
    int64_t size;         /* numbers in it; 0 where there is no such parameter */
    int64_t trained;
    real *value, *before; /* now, and before the last step */
    double *gradient;
    real *state[3];
    double decay;         /* weight_decay */
    double number[3];     /* the optimizer's own, by the enums above */
    int64_t nesterov, maximize, amsgrad, decoupled, centered;
    int64_t count;        /* steps done: the optimizer's own state */
} parameter;

typedef struct {
    const real *x;        /* (rows, columns) */
    const real *y;        /* (rows, outputs); or */
    const int64_t *label; /* (rows,) for the losses of classes */
    int64_t columns, outputs, loss, optimizer;
    int64_t mean;         /* of the batch's entries, or their sum */
    double scale;         /* times that */
    double shape;         /* Huber's delta, smooth L1's beta, the weight of positives, 1 for Poisson's full value */
    double margin, tie;   /* of the hinges: the margin, and the slope's share where the margin is met exactly;
                             of the soft margin: where its slope is cut, as softplus does */
    parameter weight, bias;
    real *score, *slope;  /* (outputs,) */
    double loss_now;      /* of the last batch; 0 where nobody asked for it */
    int64_t steps;        /* done, in all calls */
} training;

typedef struct {
    const int64_t *step;  /* which steps of the call are kept, rising */
    int64_t count;
    real *weight, *bias;  /* after the step, (count, size) */
    double *loss;         /* of the batch, before the step */
    double *seconds;      /* since the call */
} record;
