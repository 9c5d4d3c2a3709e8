// The discrete Fourier transform of any length, in O(n log n). Pure; compared with NumPy in series.test.ts.
// No dependency: fft.js takes powers of two only, and that part is the forty lines of `transform`.

/** Complex numbers: real and imaginary parts. */
export interface Complex {
  re: Float64Array;
  im: Float64Array;
}

/** The least power of two that is not below `length`. */
export function powerOfTwo(length: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, length)));
}

/** In place; the length is a power of two. Source: J. W. Cooley, J. W. Tukey (1965). `inverse` leaves out the division. */
export function transform({ re, im }: Complex, inverse = false): void {
  const n = re.length;
  reorder(re, im);
  const sign = inverse ? 1 : -1;
  const cosines = Float64Array.from({ length: n / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sines = Float64Array.from({ length: n / 2 }, (_, k) => sign * Math.sin((2 * Math.PI * k) / n));
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    const stride = n / size;
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const low = start + k;
        const high = low + half;
        const c = cosines[k * stride] ?? 0;
        const s = sines[k * stride] ?? 0;
        const [highRe, highIm, lowRe, lowIm] = [re[high] ?? 0, im[high] ?? 0, re[low] ?? 0, im[low] ?? 0];
        const turnedRe = highRe * c - highIm * s;
        const turnedIm = highRe * s + highIm * c;
        re[low] = lowRe + turnedRe;
        im[low] = lowIm + turnedIm;
        re[high] = lowRe - turnedRe;
        im[high] = lowIm - turnedIm;
      }
    }
  }
}

function reorder(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let at = 1, reversed = 0; at < n; at++) {
    let bit = n >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (at >= reversed) continue;
    [re[at], re[reversed]] = [re[reversed] ?? 0, re[at] ?? 0];
    [im[at], im[reversed]] = [im[reversed] ?? 0, im[at] ?? 0];
  }
}

/** |X_k|^2 for k = 0 .. n/2 of real values of any length. Source: L. I. Bluestein (1970), chirp z-transform. */
export function powers(values: Float64Array): Float64Array {
  const n = values.length;
  const size = powerOfTwo(2 * n);
  const chirped = { re: new Float64Array(size), im: new Float64Array(size) };
  const chirp = { re: new Float64Array(size), im: new Float64Array(size) };
  for (let k = 0; k < n; k++) {
    // k^2 mod 2n: the angle stays small, hence exact.
    const angle = (Math.PI * ((k * k) % (2 * n))) / n;
    const value = values[k] ?? 0;
    chirped.re[k] = value * Math.cos(angle);
    chirped.im[k] = -value * Math.sin(angle);
    for (const at of k === 0 ? [0] : [k, size - k]) {
      chirp.re[at] = Math.cos(angle);
      chirp.im[at] = Math.sin(angle);
    }
  }
  transform(chirped);
  transform(chirp);
  const product = { re: new Float64Array(size), im: new Float64Array(size) };
  for (let k = 0; k < size; k++) {
    const [a, b, c, d] = [chirped.re[k] ?? 0, chirped.im[k] ?? 0, chirp.re[k] ?? 0, chirp.im[k] ?? 0];
    product.re[k] = a * c - b * d;
    product.im[k] = a * d + b * c;
  }
  transform(product, true);
  // The last factor of the chirp has length 1: it does not change the power.
  return Float64Array.from(
    { length: Math.floor(n / 2) + 1 },
    (_, k) => ((product.re[k] ?? 0) / size) ** 2 + ((product.im[k] ?? 0) / size) ** 2,
  );
}
