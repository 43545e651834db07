// What a sampler has sent so far: chunks of pictures with their sound, the oldest dropped to bound memory.

export const KEEP_SECONDS = 60;

/** Little-endian 16-bit mono samples in base64 -> Float32Array in -1..1. */
export function decodePcm(base64) {
  const text = atob(base64 ?? "");
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}

export class Clip {
  chunks = []; // {first (frame number), start, duration (seconds, exactly the frames' time), frames, samples, rate}
  last = -1;
  count = 0;
  fps = 25;

  /** Adds one "emo.chunk" event; a chunk that does not follow the last one starts over. Returns whether it did. */
  add(event, makeFrame = (base64) => base64) {
    const restart = event.chunk !== this.last + 1 || !this.chunks.length;
    if (restart) this.chunks = [];
    Object.assign(this, { last: event.chunk, count: event.chunks, fps: event.fps });
    const before = this.chunks.at(-1);
    const first = before ? before.first + before.frames.length : event.chunk * event.frames.length;
    this.chunks.push({
      first,
      start: first / event.fps,
      duration: event.frames.length / event.fps,
      frames: event.frames.map(makeFrame),
      samples: decodePcm(event.sound),
      rate: event.sample_rate,
    });
    while (this.chunks.length > 1 && this.end - this.chunks[1].start >= KEEP_SECONDS) this.chunks.shift();
    return restart;
  }

  get start() {
    return this.chunks[0]?.start ?? 0;
  }

  get end() {
    const chunk = this.chunks.at(-1);
    return chunk ? (chunk.first + chunk.frames.length) / this.fps : 0;
  }

  get complete() {
    return this.last + 1 >= this.count;
  }

  /** Seconds of the whole clip: known at the end, estimated from the chunks before. */
  get length() {
    return this.complete ? this.end : Math.max(this.end, this.count * (this.end / (this.last + 1)));
  }

  /** The frame shown at a time in seconds, or the nearest one kept. */
  frameAt(time) {
    const number = Math.floor(time * this.fps + 1e-6);
    const chunk = this.chunks.findLast((candidate) => candidate.first <= number) ?? this.chunks[0];
    return chunk?.frames[Math.min(Math.max(number - chunk.first, 0), chunk.frames.length - 1)];
  }
}
