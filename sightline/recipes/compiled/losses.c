/* The losses: slopes in the scores as PyTorch's kernels compute them, and values. */

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
