/** Room beside the time axis, so that what begins at its very ends can be seen and grasped. */
export const PAD = 8;

/** From times to places across a canvas and back; the same for axis, minimap, waterfall and flame. */
export interface Scale {
  from: number;
  to: number;
  width: number;
  /** Pixels for a nanosecond. */
  factor: number;
  x(nanos: number): number;
  nanos(x: number): number;
}

/** The scale that shows a part of the axis in that width. */
export function scaleOf(from: number, to: number, width: number): Scale {
  const factor = Math.max(width - 2 * PAD, 1) / Math.max(to - from, 1);
  return {
    from,
    to,
    width,
    factor,
    x: (nanos) => PAD + (nanos - from) * factor,
    nanos: (x) => from + (x - PAD) / factor,
  };
}
