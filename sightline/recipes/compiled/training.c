/* The loop of a training whose scores are affine, Z = X W' + b: for each batch the scores, the slope of the loss in
   them, the gradient, and the optimizer's step.

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

static double dot(const real *a, const real *b, int64_t n)
{
    double sum = 0, lane[8] = {0};
    int64_t i = 0;
    if (n >= 8) {
        for (; i + 8 <= n; i += 8)
            for (int j = 0; j < 8; j++) lane[j] += (double)a[i + j] * b[i + j];
        sum = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
    }
    for (; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static real sign(real v) { return (real)((v > 0) - (v < 0)); }

/* The slope of one score's loss times `share`: scale / entries, or scale. */
static real slope_of(const training *t, real z, real y, real share)
{
    real d = z - y, shape = (real)t->shape, e, p;
    switch (t->loss) {
    case SQUARED: return (2 * share) * d;
    case ABSOLUTE: return sign(d) * share;
    case HUBER: return d <= -shape ? -share * shape : d >= shape ? share * shape : share * d;
    case SMOOTH_ABSOLUTE: return d <= -shape ? -share : d >= shape ? share : share * d / shape;
    case LOGITS:
        p = 1 / (1 + EXP(-z));
        if (shape == 1) return (p - y) * share;
        e = shape * y; /* ATen: ((pos_weight y + 1 - y) sigmoid - pos_weight y) */
        return ((e + 1 - y) * p - e) * share;
    case SIGMOID:
        p = 1 / (1 + EXP(-z));
        e = (1 - p) * p;
        return (share * (p - y) / (e > (real)1e-12 ? e : (real)1e-12)) * (1 - p) * p;
    case SOFT_MARGIN:
        d = -y * z;
        if (d > (real)t->margin) return -y * share;
        e = EXP(d);
        return -y * share * e / (1 + e);
    case HINGE:
        d = (real)t->margin - y * z;
        return d > 0 ? -y * share : d == 0 ? -y * share * (real)t->tie : 0;
    case SQUARED_HINGE:
        d = (real)t->margin - y * z;
        return d > 0 ? -y * (2 * share * d) : 0;
    default: /* POISSON, of log rates */
        return (EXP(z) - y) * share;
    }
}

/* The value of the same, in double. */
static double loss_of(const training *t, double z, double y)
{
    double d = z - y, shape = t->shape, low;
    switch (t->loss) {
    case SQUARED: return d * d;
    case ABSOLUTE: return fabs(d);
    case HUBER: return fabs(d) <= shape ? 0.5 * d * d : shape * (fabs(d) - 0.5 * shape);
    case SMOOTH_ABSOLUTE: return fabs(d) < shape ? 0.5 * d * d / shape : fabs(d) - 0.5 * shape;
    case LOGITS:
        low = log1p(exp(-fabs(z))) + (z < 0 ? -z : 0); /* log(1 + exp(-z)) */
        return (1 - y) * z + (1 + (shape - 1) * y) * low;
    case SIGMOID:
        /* BCELoss cuts each logarithm at -100. */
        low = log1p(exp(-fabs(z)));
        return y * fmin(low + (z < 0 ? -z : 0), 100) + (1 - y) * fmin(low + (z > 0 ? z : 0), 100);
    case SOFT_MARGIN:
        z *= y;
        if (isinf(t->margin) && isinf(EXP((real)-z))) return INFINITY; /* as SoftMarginLoss */
        return log1p(exp(-fabs(z))) + (z < 0 ? -z : 0);
    case HINGE: return fmax(t->margin - y * z, 0);
    case SQUARED_HINGE: d = fmax(t->margin - y * z, 0); return d * d;
    default:
        d = exp(z) - y * z;
        if (shape == 1 && y > 1) d += y * log(y) - y + 0.5 * log(6.283185307179586 * y); /* Stirling */
        return d;
    }
}

/* The losses of classes: slopes of one row's scores into t->slope, its loss where it is asked for. */
static double classes(const training *t, int64_t label, real share, int want)
{
    int64_t k, K = t->outputs;
    const real *z = t->score;
    real top = z[0], sum = 0, log_sum, own;
    double value = 0;
    if (t->loss == MULTI_MARGIN) { /* the mean over K of the other classes' hinges */
        real each = share / K, total = 0, margin = (real)t->margin;
        for (k = 0; k < K; k++) {
            real d = margin - z[label] + z[k];
            t->slope[k] = k != label && d > 0 ? each : 0;
            if (k != label && d > 0) { total += each; value += (double)d / K; }
        }
        t->slope[label] = -total;
        return value;
    }
    for (k = 1; k < K; k++) if (z[k] > top) top = z[k];
    for (k = 0; k < K; k++) sum += EXP(z[k] - top);
    log_sum = LOG(sum);
    for (k = 0; k < K; k++) {
        own = k == label ? -share : 0;
        t->slope[k] = own + EXP(z[k] - top - log_sum) * share;
    }
    if (want) {
        double exact = 0;
        for (k = 0; k < K; k++) exact += exp((double)z[k] - top);
        value = log(exact) + top - z[label];
    }
    return value;
}

/* Beyond such scores the value of the loss may be infinite. */
static double far_out(const training *t)
{
    if (t->loss == POISSON || t->loss == SOFT_MARGIN) return 50;
    return sizeof(real) == 4 ? 1e15 : 1e150;
}

/* Scores, slopes and the gradient of one batch; its loss, where it is asked for or may be infinite, else 0. */
static double gradient(training *t, const int64_t *row, int64_t rows, int want)
{
    int64_t i, j, k, p = t->columns, K = t->outputs;
    int by_class = t->loss >= CROSS_ENTROPY, biased = t->bias.size != 0, far = 0;
    double total = 0, limit = far_out(t), *gw = t->weight.gradient, *gb = t->bias.gradient;
    double share = t->scale / (t->mean ? (double)rows * (by_class ? 1 : K) : 1);
    const real *w = t->weight.value, *b = t->bias.value;
    memset(gw, 0, sizeof(double) * t->weight.size);
    if (biased) memset(gb, 0, sizeof(double) * K);
    for (i = 0; i < rows; i++) {
        const real *x = t->x + row[i] * p;
        for (k = 0; k < K; k++) {
            t->score[k] = (real)dot(x, w + k * p, p);
            if (biased) t->score[k] += b[k];
            far |= !(fabs((double)t->score[k]) < limit);
        }
        if (by_class) {
            total += classes(t, t->label[row[i]], (real)share, want);
        } else {
            const real *y = t->y + row[i] * K;
            for (k = 0; k < K; k++) {
                t->slope[k] = slope_of(t, t->score[k], y[k], (real)share);
                if (want) total += loss_of(t, t->score[k], y[k]);
            }
        }
        for (k = 0; k < K; k++) {
            double slope = t->slope[k], *g = gw + k * p;
            if (slope == 0) continue;
            for (j = 0; j < p; j++) g[j] += slope * x[j];
            if (biased) gb[k] += slope;
        }
    }
    return far && !want ? gradient(t, row, rows, 1) : total * share;
}

static real lerp(real start, real end, real weight)
{
    return weight < (real)0.5 ? FUSED(weight, end - start, start) : FUSED(-(end - start), 1 - weight, end);
}

/* torch.optim's step (its single-tensor form) for one parameter. Scalars are computed in double, then rounded. */
static void update(parameter *q, int64_t optimizer, double rate)
{
    const double *number = q->number;
    real *w = q->value, *s0 = q->state[0], *s1 = q->state[1], *s2 = q->state[2];
    real decay = (real)q->decay, step = (real)-rate, first, second, eps, a, c, d;
    int64_t i, n = q->size, fresh = q->count++ == 0;
    double one, two;
    if (q->decoupled && q->decay != 0) {
        a = (real)(1 - rate * q->decay);
        for (i = 0; i < n; i++) w[i] *= a;
        decay = 0;
    }
    for (i = 0; i < n; i++) {
        real g = (real)q->gradient[i];
        if (q->maximize) g = -g;
        if (decay != 0) g = FUSED(decay, w[i], g);
        q->gradient[i] = g;
    }
    switch (optimizer) {
    case SGD:
        first = (real)number[MOMENTUM];
        if (first == 0) {
            for (i = 0; i < n; i++) w[i] = FUSED(step, (real)q->gradient[i], w[i]);
            break;
        }
        second = (real)(1 - number[DAMPENING]);
        for (i = 0; i < n; i++) {
            real g = (real)q->gradient[i];
            s0[i] = fresh ? g : FUSED(second, g, s0[i] * first);
            w[i] = FUSED(step, q->nesterov ? FUSED(first, s0[i], g) : s0[i], w[i]);
        }
        break;
    case ADAM:
        one = 1 - pow(number[BETA1], (double)q->count);
        two = 1 - pow(number[BETA2], (double)q->count);
        step = (real)(-(rate / one));
        first = (real)(1 - number[BETA1]);
        second = (real)(1 - number[BETA2]);
        a = (real)number[BETA2], c = (real)sqrt(two), eps = (real)number[EPS];
        for (i = 0; i < n; i++) {
            real g = (real)q->gradient[i];
            s0[i] = lerp(s0[i], g, first);
            s1[i] = FUSED(second * g, g, s1[i] * a);
            d = s1[i];
            if (q->amsgrad) d = s2[i] = s2[i] > d ? s2[i] : d;
            w[i] += step * s0[i] / (SQRT(d) / c + eps);
        }
        break;
    case RMSPROP:
        a = (real)number[ALPHA], second = (real)(1 - number[ALPHA]), eps = (real)number[EPS];
        first = (real)number[RMS_MOMENTUM];
        for (i = 0; i < n; i++) {
            real g = (real)q->gradient[i];
            s0[i] = FUSED(second * g, g, s0[i] * a);
            d = s0[i];
            if (q->centered) {
                s2[i] = lerp(s2[i], g, second);
                d = FUSED(-s2[i], s2[i], d);
            }
            d = SQRT(d) + eps;
            if (first > 0) {
                s1[i] = s1[i] * first + g / d;
                w[i] += step * s1[i];
            } else {
                w[i] += step * g / d;
            }
        }
        break;
    case BY_HAND: /* params -= lr * grad */
        for (i = 0; i < n; i++) w[i] += step * (real)q->gradient[i];
        break;
    default: /* ADAGRAD */
        step = (real)(-(rate / (1 + (double)(q->count - 1) * number[RATE_DECAY])));
        eps = (real)number[EPS];
        for (i = 0; i < n; i++) {
            real g = (real)q->gradient[i];
            s0[i] = FUSED(g, g, s0[i]);
            w[i] += step * g / (SQRT(s0[i]) + eps);
        }
    }
}

static int finite(const parameter *q)
{
    real sum = 0;
    for (int64_t i = 0; i < q->size; i++) sum += q->value[i] * 0; /* 0, or NaN */
    return sum == 0;
}

static double now(void)
{
    struct timespec at;
    timespec_get(&at, TIME_UTC);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* `steps` steps, the batch of step s being row[end[s - 1]] .. row[end[s] - 1]; rate is (steps, 2), of weight and bias,
   or with `same` (1, 2) for all of them.
   The number of steps done: fewer where the loss of a batch, or the weights after a step, are not finite; that step is
   then not done. */
int64_t sightline_train(training *t, const int64_t *row, const int64_t *end, int64_t steps, const double *rate,
                        int64_t same, record *kept)
{
    double begun = now();
    int64_t next = 0, first = 0;
    parameter *both[2] = {&t->weight, &t->bias};
    for (int64_t s = 0; s < steps; s++) {
        int want = next < kept->count && kept->step[next] == s;
        double loss = gradient(t, row + first, end[s] - first, want);
        t->loss_now = loss;
        if (!isfinite((real)loss)) return s;
        first = end[s];
        for (int m = 0; m < 2; m++) {
            parameter *q = both[m];
            if (!q->trained) continue;
            memcpy(q->before, q->value, sizeof(real) * q->size);
            update(q, t->optimizer, rate[(same ? 0 : 2 * s) + m]);
        }
        if (!finite(&t->weight) || !finite(&t->bias)) {
            for (int m = 0; m < 2; m++)
                if (both[m]->trained) memcpy(both[m]->value, both[m]->before, sizeof(real) * both[m]->size);
            return s;
        }
        t->steps++;
        if (want) {
            memcpy(kept->weight + next * t->weight.size, t->weight.value, sizeof(real) * t->weight.size);
            if (t->bias.size) memcpy(kept->bias + next * t->bias.size, t->bias.value, sizeof(real) * t->bias.size);
            kept->loss[next] = loss;
            kept->seconds[next] = now() - begun;
            next++;
        }
    }
    return steps;
}
