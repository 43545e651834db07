// What a sampler has sent so far: clips of pictures with their sound, the oldest dropped to bound memory.

export const KEEP_SECONDS = 60;

/** Little-endian 16-bit mono samples in base64 -> Float32Array in -1..1. */
export function decodePcm(base64) {
  const text = atob(base64 ?? "");
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}

export class Video {
  clips = []; // {first (frame number), start, duration (seconds, exactly the frames' time), frames, samples, rate}
  last = -1;
  count = 0;
  fps = 25;

  /** Adds one "emo.clip" event; a clip that does not follow the last one starts over. Returns whether it did. */
  add(event, makeFrame = (base64) => base64) {
    const restart = event.clip !== this.last + 1 || !this.clips.length;
    if (restart) this.clips = [];
    Object.assign(this, { last: event.clip, count: event.clips, fps: event.fps });
    const before = this.clips.at(-1);
    const first = before ? before.first + before.frames.length : event.clip * event.frames.length;
    this.clips.push({
      first,
      start: first / event.fps,
      duration: event.frames.length / event.fps,
      frames: event.frames.map(makeFrame),
      samples: decodePcm(event.sound),
      rate: event.sample_rate,
    });
    while (this.clips.length > 1 && this.end - this.clips[1].start >= KEEP_SECONDS) this.clips.shift();
    return restart;
  }

  get start() {
    return this.clips[0]?.start ?? 0;
  }

  get end() {
    const clip = this.clips.at(-1);
    return clip ? (clip.first + clip.frames.length) / this.fps : 0;
  }

  get complete() {
    return this.last + 1 >= this.count;
  }

  /** Seconds of the whole video: known at the end, estimated from the clips before. */
  get length() {
    return this.complete ? this.end : Math.max(this.end, this.count * (this.end / (this.last + 1)));
  }

  /** The frame shown at a time in seconds, or the nearest one kept. */
  frameAt(time) {
    const number = Math.floor(time * this.fps + 1e-6);
    const clip = this.clips.findLast((candidate) => candidate.first <= number) ?? this.clips[0];
    return clip?.frames[Math.min(Math.max(number - clip.first, 0), clip.frames.length - 1)];
  }
}
