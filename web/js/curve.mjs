// A head speed curve as text: "0:4, 2.5:20" is seconds:degrees per second, straight between points, held at the ends.

export const MAX_SPEED = 60;
export const MAX_SECONDS = 24 * 3600; // these two as in nodes/managed/curve.py
export const MAX_POINTS = 10_000;
export const PRESETS = { calm: 4, normal: 12, active: 25 };

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const PAIR = new RegExp(`^(${NUMBER})\\s*:\\s*(${NUMBER})$`, "i");

/**
 * Returns {points: [[seconds, degrees per second], ...] in time order, errors: [text that is not a point, ...],
 * tooMany: the number of parts when it is over MAX_POINTS, else 0}. With too many, nothing is read.
 */
export function parseCurve(text) {
  const points = [];
  const errors = [];
  const parts = String(text ?? "").split(/[,\n]/).map((piece) => piece.trim()).filter(Boolean);
  if (parts.length > MAX_POINTS) return { points, errors, tooMany: parts.length };
  for (const part of parts) {
    const match = PAIR.exec(part);
    const time = Number(match?.[1]);
    const speed = Number(match?.[2]);
    const inside = time >= 0 && time <= MAX_SECONDS && speed >= 0 && speed <= MAX_SPEED;
    if (match && inside) points.push([time, speed]);
    else errors.push(part);
  }
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return { points, errors, tooMany: 0 };
}

/** The speed at a time: straight between points, held at the ends. */
export function speedAt(points, time) {
  const next = points.findIndex((point) => point[0] >= time);
  if (next === 0) return points[0][1];
  if (next < 0) return points.at(-1)[1];
  const [[before, from], [after, to]] = [points[next - 1], points[next]];
  return from + ((to - from) * (time - before)) / (after - before);
}

export function formatCurve(points) {
  return points.map(([time, speed]) => `${Number(time.toFixed(2))}:${Number(speed.toFixed(1))}`).join(", ");
}

/** Seconds the drawing covers: the sound, at least 5 s without one, and always room after the last point. */
export function axisLength(duration, points) {
  const last = points.length ? points.at(-1)[0] : 0;
  if (duration) return Math.max(duration, last);
  return Math.max(5, Math.ceil(last + 1));
}

/** A round step that gives at most `count` labels over `length` seconds. */
export function tickStep(length, count) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
  return steps.find((step) => length / step <= count) ?? Math.ceil(length / count / 3600) * 3600;
}

/** `count` peaks 0..1 of the loudest channel: [Float32Array, ...] in, array out. */
export function peaksOf(channels, count) {
  const length = channels[0]?.length ?? 0;
  const bins = Math.min(count, length);
  const peaks = new Array(bins).fill(0);
  for (const samples of channels) {
    for (let i = 0; i < length; i++) {
      const bin = Math.floor((i * bins) / length);
      peaks[bin] = Math.max(peaks[bin], Math.abs(samples[i]));
    }
  }
  return peaks.map((peak) => Math.min(1, peak));
}
