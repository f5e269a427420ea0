/* torch.optim's steps. */

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
