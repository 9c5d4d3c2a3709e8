// The distributions that tests and intervals need. Pure; compared with SciPy in the test beside this file.
// Source of the expansions: W. H. Press et al., Numerical Recipes (3rd ed. 2007), 6.1, 6.2 and 6.4.

const TINY = 1e-300;
const EPSILON = 1e-15;
const STEPS_MAX = 100_000;

/** ln gamma(x), x > 0. Source: C. Lanczos (1964), with the coefficients of P. Godfrey (g = 7, n = 9). */
export function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  let sum = 0.99999999999980993;
  for (const [at, coefficient] of coefficients.entries()) sum += coefficient / (x + at);
  const shifted = x + 6.5;
  return (x - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + Math.log(sum);
}

/** The regularised incomplete gamma functions P(a, x) below and Q(a, x) = 1 - P above; each precise where it is small. */
export function incompleteGamma(a: number, x: number): { below: number; above: number } {
  if (x <= 0) return { below: 0, above: 1 };
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    const below = front * gammaSeries(a, x);
    return { below, above: 1 - below };
  }
  const above = front * gammaFraction(a, x);
  return { below: 1 - above, above };
}

function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let step = 1; step < STEPS_MAX && term > sum * EPSILON; step++) {
    term *= x / (a + step);
    sum += term;
  }
  return sum;
}

function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let product = d;
  for (let step = 1; step < STEPS_MAX; step++) {
    const numerator = -step * (step - a);
    b += 2;
    d = 1 / away(numerator * d + b);
    c = away(b + numerator / c);
    product *= d * c;
    if (Math.abs(d * c - 1) < EPSILON) break;
  }
  return product;
}

/** The regularised incomplete beta functions I_x(a, b) below and 1 - I_x(a, b) above; `rest` is 1 - x. */
export function incompleteBeta(a: number, b: number, x: number, rest = 1 - x): { below: number; above: number } {
  if (x <= 0 || rest <= 0) return x <= 0 ? { below: 0, above: 1 } : { below: 1, above: 0 };
  if (x > (a + 1) / (a + b + 2)) {
    const { below, above } = incompleteBeta(b, a, rest, x);
    return { below: above, above: below };
  }
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(rest));
  const below = (front * betaFraction(a, b, x)) / a;
  return { below, above: 1 - below };
}

function betaFraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let product = d;
  for (let m = 1; m < STEPS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    product *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    product *= d * c;
    if (Math.abs(d * c - 1) < EPSILON) break;
  }
  return product;
}

function away(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/** P(Z > z) of the standard normal distribution; precise far out in the tail. */
export function normalTail(z: number): number {
  const half = incompleteGamma(0.5, (z * z) / 2).above / 2;
  return z >= 0 ? half : 1 - half;
}

/** The z with P(Z > z) = `tail`, 0 < tail < 1. Source: P. J. Acklam (2003), rational start; then Halley's steps. */
export function normalQuantileOfTail(tail: number): number {
  if (tail > 0.5) return -normalQuantileOfTail(1 - tail);
  const t = Math.sqrt(-2 * Math.log(tail));
  // M. Abramowitz, I. A. Stegun (1964), 26.2.23: within 4.5e-4, which two steps make exact.
  let z = t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
  for (let step = 0; step < 3; step++) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    if (density === 0) break;
    const error = (normalTail(z) - tail) / density;
    z += error / (1 - (z * error) / 2);
  }
  return z;
}

/** P(X <= x) and P(X > x) of the chi-square distribution; see `incompleteGamma`. Normal above FREEDOM_EXACT_MAX. */
export function chiSquare(x: number, freedom: number): { below: number; above: number } {
  if (freedom <= FREEDOM_EXACT_MAX) return incompleteGamma(freedom / 2, x / 2);
  const z = (Math.cbrt(x / freedom) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
  return { below: normalTail(-z), above: normalTail(z) };
}

/** Above it the cube root of a chi-square number is normal within 1e-6. Source: E. B. Wilson, M. M. Hilferty (1931). */
const FREEDOM_EXACT_MAX = 10_000;

/** The x that a chi-square number passes with probability `tail`. */
export function chiSquareQuantileOfTail(tail: number, freedom: number): number {
  const spread = 2 / (9 * freedom);
  const start = freedom * Math.max(1e-3, 1 - spread + normalQuantileOfTail(tail) * Math.sqrt(spread)) ** 3;
  if (freedom > FREEDOM_EXACT_MAX) return start;
  return bisect((x) => chiSquare(x, freedom).above > tail, 0, 2 * start + 100);
}

/** P(|T| > |t|) of Student's t distribution. */
export function studentTwoSided(t: number, freedom: number): number {
  const whole = freedom + t * t;
  return incompleteBeta(freedom / 2, 0.5, freedom / whole, (t * t) / whole).below;
}

/** The t with P(|T| > t) = `alpha`. */
export function studentQuantile(alpha: number, freedom: number): number {
  let high = 2;
  while (studentTwoSided(high, freedom) > alpha) high *= 2;
  return bisect((t) => studentTwoSided(t, freedom) > alpha, 0, high);
}

/** P(X <= events) and P(X > events) of the Poisson distribution. */
export function poissonTails(events: number, mean: number): { upTo: number; over: number } {
  if (events < 0) return { upTo: 0, over: 1 };
  const { below, above } = incompleteGamma(events + 1, mean);
  return { upTo: above, over: below };
}

/**
 * P(X <= events) and P(X > events) of the negative binomial distribution with this mean and variance mean x spread:
 * what comes in bursts of geometrically distributed size, or at a rate that itself varies. Poisson for a spread of 1.
 */
export function negativeBinomialTails(events: number, mean: number, spread: number): { upTo: number; over: number } {
  if (events < 0) return { upTo: 0, over: 1 };
  if (spread < 1 + 1e-6) return poissonTails(events, mean);
  const { below, above } = incompleteBeta(mean / (spread - 1), events + 1, 1 / spread, (spread - 1) / spread);
  return { upTo: below, over: above };
}

/** Where `isLow` turns from true to false between `low` and `high`. */
function bisect(isLow: (x: number) => boolean, low: number, high: number): number {
  let [from, to] = [low, high];
  for (let step = 0; step < 100 && to - from > 1e-13 * to; step++) {
    const middle = (from + to) / 2;
    if (isLow(middle)) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}
