/* What an exported C file is made of: it takes the functions that it calls, in this order.

   `real` is float or double, FN(exp) the mathematical function of that type, `sum` the type of long
   sums. One example at a time: x is A_prev, z is Z, d is the derivative by A, and then delta.
   Derivatives by parameters are added to what is there; dx is written, where it is not null. */

/* As NumPy has them: NaN passes through these three */
static real minimum(real a, real b)
{
    return a < b || a != a ? a : b;
}

static real maximum(real a, real b)
{
    return a > b || a != a ? a : b;
}

static real sign(real v)
{
    return v > 0 ? 1 : v < 0 ? -1 : v == 0 ? 0 : v;
}

/* log of the sum of e^z, without overflow */
static real log_sum_exp(const real *z, int n)
{
    real most = z[0];
    sum total = 0;
    for (int i = 1; i < n; i++)
        most = z[i] > most ? z[i] : most;
    for (int i = 0; i < n; i++)
        total += FN(exp)(z[i] - most);
    return most + FN(log)((real)total);
}

static void softmax(const real *z, real *a, int n)
{
    real most = z[0];
    sum total = 0;
    for (int i = 1; i < n; i++)
        most = z[i] > most ? z[i] : most;
    for (int i = 0; i < n; i++)
        total += a[i] = FN(exp)(z[i] - most);
    for (int i = 0; i < n; i++)
        a[i] = (real)(a[i] / total);
}

static void softmax_delta(const real *a, real *d, int n)
{
    sum total = 0;
    for (int i = 0; i < n; i++)
        total += (sum)a[i] * (sum)d[i];
    for (int i = 0; i < n; i++)
        d[i] = (real)(a[i] * (d[i] - total));
}

/* Eq. 1a */
static void dense(const real *W, const real *b, const real *x, real *z, int n, int n_prev)
{
    for (int i = 0; i < n; i++, W += n_prev) {
        sum s = b[i];
        for (int j = 0; j < n_prev; j++)
            s += (sum)W[j] * (sum)x[j];
        z[i] = (real)s;
    }
}

/* Eq. 11b to 11d */
static void dense_back(const real *W, const real *x, const real *d, real *dW, real *db, real *dx,
                       int n, int n_prev)
{
    for (int j = 0; dx && j < n_prev; j++) {
        sum s = 0;
        for (int i = 0; i < n; i++)
            s += (sum)W[i * n_prev + j] * (sum)d[i];
        dx[j] = (real)s;
    }
    for (int i = 0; i < n; i++, dW += n_prev) {
        db[i] += d[i];
        for (int j = 0; j < n_prev; j++)
            dW[j] += d[i] * x[j];
    }
}

/* The mean of an example's units, and 1 over their standard deviation */
static real moments(const real *x, int n, real epsilon, real *scale)
{
    sum mean = 0, variance = 0;
    for (int i = 0; i < n; i++)
        mean += x[i];
    mean /= n;
    for (int i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    *scale = 1 / FN(sqrt)((real)(variance / n) + epsilon);
    return (real)mean;
}

/* Eq. N1, N2 */
static void layer_norm(const real *gain, const real *shift, const real *x, real *z, int n,
                       real epsilon)
{
    real scale, mean = moments(x, n, epsilon, &scale);
    for (int i = 0; i < n; i++)
        z[i] = gain[i] * ((x[i] - mean) * scale) + shift[i];
}

/* Eq. N3, N4 */
static void layer_norm_back(const real *gain, const real *x, const real *d, real *dgain,
                            real *dshift, real *dx, int n, real epsilon)
{
    real scale, mean = moments(x, n, epsilon, &scale);
    sum total = 0, along = 0;
    for (int i = 0; i < n; i++) {
        real x_hat = (x[i] - mean) * scale;
        dgain[i] += d[i] * x_hat;
        dshift[i] += d[i];
        total += gain[i] * d[i];
        along += gain[i] * d[i] * x_hat;
    }
    for (int i = 0; dx && i < n; i++) {
        real x_hat = (x[i] - mean) * scale;
        dx[i] = (gain[i] * d[i] - (real)(total / n) - x_hat * (real)(along / n)) * scale;
    }
}

/* Eq. B1, B2 with the running averages */
static void batch_norm(const real *gain, const real *shift, const real *mean,
                       const real *variance, const real *x, real *z, int n, real epsilon)
{
    for (int i = 0; i < n; i++)
        z[i] = gain[i] * ((x[i] - mean[i]) / FN(sqrt)(variance[i] + epsilon)) + shift[i];
}

/* Eq. S1 */
static void scaled(const real *scale, const real *x, real *z, int n)
{
    for (int i = 0; i < n; i++)
        z[i] = scale[i] * x[i];
}

/* Eq. S2, S3 */
static void scaled_back(const real *scale, const real *x, const real *d, real *dscale, real *dx,
                        int n)
{
    for (int i = 0; i < n; i++)
        dscale[i] += d[i] * x[i];
    for (int i = 0; dx && i < n; i++)
        dx[i] = scale[i] * d[i];
}

/* Eq. P1 */
static void angle(const real *frequency, const real *phase, const real *x, real *z, int n,
                  int each)
{
    for (int i = 0; i < n; i++)
        z[i] = (real)6.28318530717958647693 * frequency[i] * x[i / each] + phase[i];
}

/* Eq. P2, P3 */
static void angle_back(const real *frequency, const real *x, const real *d, real *dfrequency,
                       real *dphase, real *dx, int n, int each)
{
    for (int i = 0; i < n; i++) {
        dfrequency[i] += (real)6.28318530717958647693 * d[i] * x[i / each];
        dphase[i] += d[i];
    }
    for (int j = 0; dx && j < n / each; j++) {
        sum s = 0;
        for (int i = j * each; i < (j + 1) * each; i++)
            s += (sum)frequency[i] * (sum)d[i];
        dx[j] = (real)6.28318530717958647693 * (real)s;
    }
}

/* Eq. Q1 */
static void filled(const int *column, const real *start, const real *width, const real *low,
                   const real *high, const real *x, real *z, int n)
{
    for (int i = 0; i < n; i++) {
        real share = (x[column[i]] - start[i]) / width[i];
        z[i] = share < low[i] ? low[i] : share > high[i] ? high[i] : share;
    }
}

/* Eq. Q2 */
static void filled_back(const int *column, const real *start, const real *width, const real *low,
                        const real *high, const real *x, const real *d, real *dx, int n,
                        int n_prev)
{
    for (int j = 0; dx && j < n_prev; j++)
        dx[j] = 0;
    for (int i = 0; dx && i < n; i++) {
        real share = (x[column[i]] - start[i]) / width[i];
        if (share >= low[i] && share < high[i])
            dx[column[i]] += d[i] / width[i];
    }
}

/* A whole number from 0 to below the levels; whatever is none of these is 0 */
static int level(real x, int levels)
{
    return x >= 0 && x < (real)levels && FN(floor)(x) == x ? (int)x : 0;
}

/* Eq. E1 */
static void looked_up(const real *E, const int *levels, const real *x, real *z, int columns,
                      int width, int total)
{
    for (int c = 0, first = 0; c < columns; first += levels[c++])
        for (int w = 0; w < width; w++)
            *z++ = E[w * total + first + level(x[c], levels[c])];
}

/* Eq. E2; a code is no quantity, and dx is 0 */
static void looked_up_back(const int *levels, const real *x, const real *d, real *dE, real *dx,
                           int columns, int width, int total)
{
    for (int c = 0, first = 0; c < columns; first += levels[c++])
        for (int w = 0; w < width; w++)
            dE[w * total + first + level(x[c], levels[c])] += *d++;
    for (int c = 0; dx && c < columns; c++)
        dx[c] = 0;
}

/* The fused pairs of softmax: the loss of an example from Z, and delta in place of Eq. 10a */
static sum softmax_pair(const real *z, const real *a, const real *y, real *d, int n)
{
    real log_total = log_sum_exp(z, n);
    sum loss = 0;
    for (int i = 0; i < n; i++) {
        loss -= y[i] * (z[i] - log_total);
        d[i] = a[i] - y[i];
    }
    return loss;
}

static sum focal_pair(const real *z, const real *a, const real *y, real *d, int n, real gamma)
{
    real log_total = log_sum_exp(z, n);
    sum loss = 0, total = 0;
    for (int i = 0; i < n; i++) {
        real log_a = z[i] - log_total, hard = FN(pow)(1 - a[i], gamma);
        real easy = gamma == 0 ? 0 : gamma * a[i] * FN(pow)(1 - a[i], gamma - 1) * log_a;
        loss -= y[i] * FN(pow)(1 - FN(exp)(log_a), gamma) * log_a;
        total += d[i] = y[i] * (easy - hard);
    }
    for (int i = 0; i < n; i++)
        d[i] -= a[i] * (real)total;
    return loss;
}

/* Of each group of logits: the loss of an example, and dA, the softmax times the sum of y, less y */
static sum softmax_cross_entropy(const real *z, const real *y, real *d, int n, int classes)
{
    sum loss = 0;
    for (int k = 0; k < n; k += classes) {
        real log_total = log_sum_exp(z + k, classes);
        sum targets = 0;
        for (int i = k; i < k + classes; i++) {
            loss -= y[i] * (z[i] - log_total);
            targets += y[i];
        }
        for (int i = k; i < k + classes; i++)
            d[i] = FN(exp)(z[i] - log_total) * (real)targets - y[i];
    }
    return loss;
}

/* Scaled back to a norm of at most so much */
static void shorten(real *v, int n, real most)
{
    sum squares = 0;
    for (int i = 0; i < n; i++)
        squares += (sum)v[i] * (sum)v[i];
    real norm = FN(sqrt)((real)squares);
    for (int i = 0; norm > most && i < n; i++)
        v[i] *= most / norm;
}
