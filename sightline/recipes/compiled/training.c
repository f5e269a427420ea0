/* The loop. */

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
