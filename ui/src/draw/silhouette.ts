import type { Silhouette } from '../api/shapes';
import type { Surface } from './surface';

/** Lanes of the silhouette of a trace: how deep calls within calls are shown. */
const LANES = 6;

/** Which lane each span goes to: the first that is free when it begins, so that what runs at once lies one below another. */
export function lanes({ starts, durations }: Silhouette): number[] {
  const ends: number[] = [];
  return starts.map((start, at) => {
    let lane = ends.findIndex((end) => end <= start);
    if (lane === -1) lane = ends.length < LANES ? ends.length : LANES - 1;
    ends[lane] = Math.max(ends[lane] ?? 0, start + durations[at]!);
    return lane;
  });
}

/** Paints the shape of a trace, each bar in the colour of its service, failures on top in red. */
export function drawSilhouette(
  { context, width, height }: Surface,
  trace: { services: string[]; durationNanos: number; silhouette: Silhouette },
  colours: { service: (name: string) => string; error: string },
): void {
  const { services, starts, durations, errors } = trace.silhouette;
  const total = Math.max(1, trace.durationNanos);
  const lane = lanes(trace.silhouette);
  const used = Math.max(1, ...lane.map((one) => one + 1));
  const pitch = height / Math.max(3, used);
  const bar = Math.max(1, Math.min(4, pitch - 1));
  const top = (height - used * pitch) / 2;
  const box = (at: number) => {
    const x = (Math.max(0, starts[at]!) / total) * width;
    return [Math.min(x, width - 1), top + lane[at]! * pitch, Math.max(1, (durations[at]! / total) * width), bar] as const;
  };
  starts.forEach((_, at) => {
    context.fillStyle = colours.service(trace.services[services[at]!] ?? '');
    context.fillRect(...box(at));
  });
  context.fillStyle = colours.error;
  for (const at of errors) {
    const [x, y] = box(at);
    context.fillRect(Math.min(x, width - 2), Math.max(0, y - 1), 2, bar + 2);
  }
}
