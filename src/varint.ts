// Whole numbers as bytes: LEB128 varints, and zigzag for those that may be negative. Exact up to 2^53 - 1 (zigzag: 2^52).
// Kernel: pure. Used by the binary forms that lie in stores: histograms and merged minutes.

export interface ByteReader {
  readonly bytes: Uint8Array;
  at: number;
}

/** Appends `value`, which is not negative. */
export function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

/** Throws RangeError where the number is cut short or too long. */
export function readVarint(reader: ByteReader): number {
  let value = 0;
  for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) break;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new RangeError("varint: a number is cut short or too long");
}

export function pushZigzag(bytes: number[], value: number): void {
  pushVarint(bytes, value < 0 ? -2 * value - 1 : 2 * value);
}

export function readZigzag(reader: ByteReader): number {
  const zigzag = readVarint(reader);
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}
