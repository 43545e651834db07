// The growing preview on EMOSampler: plays the clips sent so far, the picture following the sound's clock.
import { Video } from "./video.mjs";
import { addPanel, button, growNode, html, nodeKey, ownsPointer, setFace } from "./dom.mjs";
import { StopBar } from "./stop_bar.mjs";
import { t } from "./words.mjs";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z";
const SPEAKER = "M2 6v4h2.5L8 13V3L4.5 6z";
const SOUND = `${SPEAKER}M9.5 5.2a4 4 0 0 1 0 5.6l.8.8a5.1 5.1 0 0 0 0-7.2z` +
  "M11.6 3.2a6.8 6.8 0 0 1 0 9.6l.8.8a8 8 0 0 0 0-11.2z";
const MUTED = `${SPEAKER}M10 6.2l.8-.8L12.6 7.2l1.8-1.8.8.8L13.4 8l1.8 1.8-.8.8-1.8-1.8-1.8 1.8-.8-.8L11.8 8z`;
const LEAD = 0.05; // seconds between asking for sound and its start
const KEEP_VIDEOS = 4;
const STEP_PREVIEW = "$$canvas-image-preview";

const videos = new Map(); // by node, so that undo and switching workflows, which rebuild the nodes, keep the preview
let audio = null; // one for all players, made at the first press of play: browsers allow no sound before

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

function makeFrame(base64) {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${base64}`;
  return image;
}

function videoOf(key) {
  const video = videos.get(key) ?? new Video();
  videos.delete(key);
  videos.set(key, video);
  if (videos.size > KEEP_VIDEOS) videos.delete(videos.keys().next().value);
  return video;
}

export class ClipPlayer {
  video = null;
  position = 0; // seconds
  playing = false; // sound and picture run
  wanted = false; // playing, or would be but for the next clip
  liked = false; // the user's last press was play, not pause
  follow = true; // show the newest frame until the user plays or seeks
  muted = false; // by the user
  hushed = false; // by a new run that started to play unasked
  origin = 0; // the sound clock's time at video time 0
  voices = [];

  constructor(node) {
    this.node = node;
    const canvas = { role: "img", "aria-label": t("Preview of what is made so far"), width: 1, height: 1 };
    this.canvas = html("canvas", canvas);
    this.toggle = ownsPointer(button(t("Play"), PLAY, () => (this.wanted ? this.pause() : this.press())));
    this.mute = ownsPointer(button(t("Mute"), SOUND, () => this.setSilent(!this.silent, false)));
    const range = { type: "range", min: 0, max: 0, step: 0.01, "aria-label": t("Position in the preview") };
    this.seek = ownsPointer(html("input", range));
    this.time = html("span", { class: "emo-note" });
    this.count = html("span", { class: "emo-note", role: "status" }, t("The preview grows here during a run"));
    this.stopBar = new StopBar(node);
    this.panel = html("div", { class: "emo-player emo-empty" },
      html("div", { class: "emo-stage emo-screen" }, this.canvas),
      html("div", { class: "emo-bar emo-controls" }, this.toggle, this.seek, this.mute),
      html("div", { class: "emo-bar" }, this.time, this.count), this.stopBar.element);
    addPanel(node, "emo_preview", this.panel, () => (this.video ? 230 : 20) + this.stopBar.height);
    this.seek.addEventListener("input", () => this.seekTo(Number(this.seek.value)));
    this.seek.addEventListener("keydown", (event) => event.stopPropagation());
    this.replaceStepPreview(node);
    const removed = node.onRemoved;
    node.onRemoved = function (...args) {
      removed?.apply(this, args);
      node.emoPanel.silence();
    };
  }

  /** One picture on the node: ComfyUI's own preview of the steps shows until there is a video (Vue nodes: emo.css). */
  replaceStepPreview(node) {
    const background = node.onDrawBackground;
    node.onDrawBackground = (...args) => (this.video ? undefined : background?.apply(node, args));
  }

  dropStepPreview() {
    const preview = this.node.widgets.find((widget) => widget.name === STEP_PREVIEW);
    if (!preview?.computedHeight || !this.node.removeWidget) return;
    this.node.removeWidget(preview);
    this.node.setSize([this.node.size[0], this.node.size[1] - preview.computedHeight]);
    growNode(this.node);
  }

  get silent() {
    return this.muted || this.hushed;
  }

  get atEnd() {
    return this.video.complete && this.position >= this.video.end - 1e-3;
  }

  tick() {
    const video = videos.get(nodeKey(this.node));
    if (video && video !== this.video) this.show(video);
    if (this.video) this.dropStepPreview();
    this.stopBar.tick();
  }

  show(video) {
    this.video = video;
    this.position = video.end;
    this.panel.classList.remove("emo-empty");
    growNode(this.node, 260);
    this.draw();
  }

  /** One "emo.clip" event; a model without a previewer sends no frames. */
  receive(event) {
    if (!event.frames.length) return;
    const video = videoOf(nodeKey(this.node));
    const restarted = video.add(event, makeFrame);
    if (video !== this.video) this.show(video);
    if (restarted) this.restart();
    if (this.follow) this.position = video.end;
    if (this.playing) this.schedule(video.clips.at(-1));
    else if (this.wanted) this.play();
    video.clips.at(-1).frames.at(-1).decode().then(() => this.draw());
  }

  /** A new run: someone who pressed play goes on seeing it, but silently, for nobody asked for this sound. */
  restart() {
    this.silence();
    this.position = this.video.start;
    this.wanted = this.liked;
    this.follow = !this.liked;
    if (this.liked) this.setSilent(this.muted, true);
  }

  press() {
    this.wanted = this.liked = true;
    this.follow = false;
    this.setSilent(this.muted, false);
    if (this.position >= this.video.end - 1e-3) this.position = this.video.start;
    audio ??= new AudioContext();
    audio.resume();
    this.play();
  }

  play() {
    this.silence();
    this.gain = new GainNode(audio, { gain: this.silent ? 0 : 1 });
    this.gain.connect(audio.destination);
    this.position = Math.max(this.position, this.video.start);
    this.origin = audio.currentTime + LEAD - this.position;
    this.playing = true;
    this.video.clips.forEach((clip) => this.schedule(clip));
    this.step();
  }

  schedule(clip) {
    const from = Math.max(this.position, clip.start);
    if (!clip.samples.length || from >= clip.start + clip.duration) return;
    const buffer = audio.createBuffer(1, clip.samples.length, clip.rate);
    buffer.copyToChannel(clip.samples, 0);
    const voice = new AudioBufferSourceNode(audio, { buffer });
    voice.connect(this.gain);
    const late = Math.max(0, audio.currentTime - (this.origin + from));
    voice.start(this.origin + from + late, from - clip.start + late);
    this.voices.push(voice);
  }

  /** One screen refresh while playing: the position is what is heard now. */
  step() {
    if (!this.playing) return;
    const heard = audio.currentTime - this.origin - (audio.outputLatency || 0);
    this.position = Math.min(Math.max(heard, this.position), this.video.end);
    if (this.position < this.video.end) this.frame = requestAnimationFrame(() => this.step());
    else this.silence();
    if (this.atEnd) this.wanted = false;
    this.draw();
  }

  pause() {
    this.wanted = this.liked = false;
    this.silence();
    this.draw();
  }

  silence() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    this.voices.forEach((voice) => voice.stop());
    this.voices = [];
    this.gain?.disconnect();
    this.gain = null;
  }

  seekTo(seconds) {
    this.follow = false;
    this.position = Math.min(Math.max(seconds, this.video.start), this.video.end);
    if (this.wanted) this.play();
    this.draw();
  }

  setSilent(muted, hushed) {
    Object.assign(this, { muted, hushed });
    if (this.gain) this.gain.gain.value = this.silent ? 0 : 1;
    setFace(this.mute, this.silent ? t("Sound on") : t("Mute"), this.silent ? MUTED : SOUND);
  }

  draw() {
    const { video, position } = this;
    const image = video.frameAt(Math.min(position, video.end - 1e-3));
    if (image?.complete && image.naturalWidth) this.paint(image);
    const percent = (seconds) => `${(100 * seconds) / video.length}%`;
    this.seek.max = video.length;
    this.seek.value = position;
    this.seek.setAttribute("aria-valuetext", clock(position));
    this.seek.style.setProperty("--emo-from", percent(video.start));
    this.seek.style.setProperty("--emo-done", percent(position));
    this.seek.style.setProperty("--emo-ready", percent(video.end));
    this.time.textContent = `${clock(position)} / ${clock(video.end)}`;
    this.count.textContent = t("clip {index} of {count}", { index: video.last + 1, count: video.count });
    const label = this.wanted ? t("Pause") : t("Play");
    if (this.toggle.title !== label) setFace(this.toggle, label, this.wanted ? PAUSE : PLAY);
  }

  paint(image) {
    if (this.canvas.width !== image.naturalWidth || this.canvas.height !== image.naturalHeight) {
      this.canvas.width = image.naturalWidth;
      this.canvas.height = image.naturalHeight;
    }
    this.canvas.getContext("2d").drawImage(image, 0, 0);
  }
}
