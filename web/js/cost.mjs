// What a run of the sampler takes, before it starts and while it runs, in words.
import { allBehind, isLinked, nodeBehind, sourceOf } from "./upstream.mjs";
import { t } from "./words.mjs";

const VALUES = { steps: "steps", cfg: "cfg", sampler: "sampler_name", start: "start_time" };
const WITHOUT_MODEL = 512; // pixels of a crop that no model is connected to

const valueOf = (node, name) => node.widgets?.find((widget) => widget.name === name)?.value;

/** The route that answers what this sampler takes; undefined where only a run can tell. */
export function costPath(node) {
  const sound = sourceOf(node, "audio");
  const file = sound?.example ? { example: sound.example } : sound?.file;
  const model = nodeBehind(node, "model", "LoadEMOModel", true);
  const size = sizeOf(node);
  const cache = nodeBehind(node, "model", "EMODeepCache", true);
  const loras = allBehind(node, "model", "EMOLoadLora", true);
  if (cache && isLinked(cache, "interval")) return undefined;
  if (loras.some((lora) => isLinked(lora, "lora_name") || isLinked(lora, "strength"))) return undefined;
  if (!file || !model || !size || isLinked(model, "checkpoint")) return undefined;
  if (Object.values(VALUES).some((name) => isLinked(node, name))) return undefined;
  const values = Object.entries(VALUES).map(([key, name]) => [key, valueOf(node, name) ?? 0]);
  const weights = { checkpoint: valueOf(model, "checkpoint"), dtype: valueOf(model, "dtype") ?? "auto" };
  const interval = cache ? { deep_cache: valueOf(cache, "interval") } : {};
  const counted = loras.filter((lora) => valueOf(lora, "strength")).map((lora) => valueOf(lora, "lora_name"));
  const adapters = counted.length ? { loras: counted.join("\n") } : {};
  const asked = { ...file, ...weights, ...size, ...Object.fromEntries(values), ...interval, ...adapters };
  return `/emo_portrait/cost?${new URLSearchParams(asked)}`;
}

/** Width and height of the portrait, 0 for the model's own. */
function sizeOf(node) {
  const encode = nodeBehind(node, "reference", "ReferenceNetEncode");
  if (!encode) return undefined;
  const crop = nodeBehind(encode, "image", "FaceRegionMask");
  if (!crop) return sourceOf(encode, "image")?.example && { width: 0, height: 0 };
  if (isLinked(crop, "crop_width") || isLinked(crop, "crop_height")) return undefined;
  const own = isLinked(crop, "model") ? 0 : WITHOUT_MODEL;
  return { width: valueOf(crop, "crop_width") || own, height: valueOf(crop, "crop_height") || own };
}

/** 7 s, 2 min 5 s, 3 h 20 min. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours) return t("{hours} h {minutes} min", { hours, minutes });
  if (minutes) return t("{minutes} min {seconds} s", { minutes, seconds: whole % 60 });
  return t("{seconds} s", { seconds: whole });
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

/** One line of what the route answered: 125 frames · 11 clips · about 25 s · 0.9 GB. */
export function costLine({ frames, clips, seconds, bytes, free }) {
  const time = seconds === null ? t("time known after the first steps") : t("about {time}", { time: duration(seconds) });
  const parts = [t("{frames} frames", { frames }), clips === 1 ? t("1 clip") : t("{clips} clips", { clips }), time];
  if (bytes !== undefined) parts.push(gigabytes(bytes));
  const line = parts.join(" · ");
  return bytes > free ? `${line} · ⚠ ${tooMuch(free)}` : line;
}

/** What to lower when the memory does not do. */
const tooMuch = (free) =>
  t("{free} are free: use a smaller crop, fp16 or bf16, or ComfyUI's --lowvram", { free: gigabytes(free) });

export const leftLine = (seconds) => t("{time} left", { time: duration(seconds) });
