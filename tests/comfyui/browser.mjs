// Opens ComfyUI in Chromium and answers what its pages make of the workflows, as JSON on standard output.
// Standard input: {url, chromium, workflows: [name], run: name, screenshots: folder or null}

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const { chromium } = createRequire(import.meta.url)('playwright-core'); // also looks in NODE_PATH
const given = JSON.parse(readFileSync(0, 'utf8'));
const TEMPLATES = '/api/workflow_templates/emo-portrait/';
const OURS = '/extensions/emo-portrait/';
const VIEW = { width: 1600, height: 1000 };
const VUE_NODES_SINCE = 35; // of frontend 1.x; before, they show no widgets of packs and no videos
const WIDE = { width: 2560, height: 1300 };

const browser = await chromium.launch({
  executablePath: given.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--use-gl=swiftshader', '--autoplay-policy=no-user-gesture-required'],
});
try {
  const answer = {};
  for (const [mode, vue] of [['canvas', false], ['vue', true]]) answer[mode] = await inMode(mode, vue);
  process.stdout.write(JSON.stringify(answer));
} finally {
  await browser.close();
}

async function inMode(mode, vue) {
  await setting('Comfy.TutorialCompleted', true);
  await setting('Comfy.VueNodes.Enabled', vue);
  const page = await browser.newPage({ viewport: VIEW });
  const errors = [];
  page.on('pageerror', (error) => error.stack.includes(OURS) && errors.push(error.stack));
  page.on('console', (message) => {
    if (message.type() === 'error' && message.location().url.includes(OURS)) errors.push(message.text());
  });
  await page.goto(given.url);
  await page.waitForFunction(() => window.LiteGraph?.registered_node_types?.FramesToVideo, null, { timeout: 60000 });
  await page.waitForFunction(() => !document.querySelector('.p-progressspinner'), null, { timeout: 60000 });
  await page.waitForTimeout(1000);
  const workflows = {};
  for (const name of given.workflows) {
    workflows[name] = await opened(page, name);
    if (given.screenshots) await whole(page, `${mode} ${name}`);
  }
  await opened(page, given.run);
  const version = await page.evaluate(() => window.__COMFYUI_FRONTEND_VERSION__);
  const [major, minor] = version.split('.').map(Number);
  const ready = !vue || major > 1 || minor >= VUE_NODES_SINCE;
  const player = ready ? await played(page, vue ? 2 : 1) : null;
  if (given.screenshots) await everyNode(page, mode);
  await page.close();
  return { version, workflows, player, errors };
}

async function setting(id, value) {
  await fetch(`${given.url}/settings/${id}`, { method: 'POST', body: JSON.stringify(value) });
}

// As the template browser does it: the graph, which of its nodes are unknown, and the prompt it makes.
async function opened(page, name) {
  const found = await page.evaluate(async (url) => {
    const graph = await (await fetch(url)).json();
    await window.app.loadGraphData(graph);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const known = window.LiteGraph.registered_node_types;
    const missing = window.app.graph.nodes.map((node) => node.type).filter((type) => !known[type]);
    return { missing, prompt: (await window.app.graphToPrompt()).output };
  }, TEMPLATES + encodeURIComponent(`${name}.json`));
  return found;
}

// Presses Run; the file that the player on the node shows in the end. The canvas only fills nodes in sight.
async function played(page, seed) {
  const place = await page.evaluate(() => [...window.app.graph.nodes.find((node) => node.type === 'FramesToVideo').pos]);
  await frame(page, place, 1, [500, 200]);
  await page.evaluate(async (value) => {
    const sampler = window.app.graph.nodes.find((node) => node.type === 'EMOSampler');
    sampler.widgets.find((widget) => widget.name === 'seed').value = value;
    await window.app.queuePrompt(0);
  }, seed);
  const video = page.locator('video[src*=".mp4"], video:has(source[src*=".mp4"])').first();
  try {
    await video.waitFor({ state: 'attached', timeout: 60000 });
  } catch (error) {
    if (error.name !== 'TimeoutError') throw error;
    return { source: null };
  }
  await page.waitForTimeout(1500);
  return await video.evaluate((element) => ({
    source: element.currentSrc || element.src,
    width: element.videoWidth,
    duration: element.duration,
  }));
}

// Puts the graph's point (x, y) at `corner` of the canvas; returns where the canvas stands in the window.
async function frame(page, [x, y], scale, corner) {
  return await page.evaluate(
    async ([left, top, ratio, [right, down]]) => {
      const { canvas } = window.app;
      canvas.ds.scale = ratio;
      canvas.ds.offset[0] = right / ratio - left;
      canvas.ds.offset[1] = down / ratio - top;
      canvas.setDirty(true, true);
      await new Promise((resolve) => setTimeout(resolve, 700));
      const place = canvas.canvas.getBoundingClientRect();
      return [place.left, place.top];
    },
    [x, y, scale, corner],
  );
}

async function whole(page, name) {
  await page.setViewportSize(WIDE);
  const [x, y, right, bottom] = await page.evaluate(() => {
    const boxes = window.app.graph.nodes.map((node) => [...node.pos, ...node.size]);
    const edges = boxes.map(([left, top, width, height]) => [left, top, left + width, top + height]);
    return [0, 1, 2, 3].map((i) => Math[i < 2 ? 'min' : 'max'](...edges.map((edge) => edge[i])));
  });
  const scale = Math.min(1, (WIDE.width - 200) / (right - x), (WIDE.height - 260) / (bottom - y));
  await frame(page, [x, y], scale, [110, 160]);
  await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  await page.setViewportSize(VIEW);
}

// After the run, so that players and previews are filled; then the kinds that only other workflows have.
async function everyNode(page, mode) {
  const done = new Set();
  for (const name of [null, ...given.workflows]) {
    if (name !== null) await opened(page, name);
    const all = await page.evaluate(() => window.app.graph.nodes.map((node) => [node.type, ...node.pos, ...node.size]));
    for (const [type, x, y, width, height] of all.filter(([type]) => !done.has(type))) {
      done.add(type);
      const scale = Math.min(1.5, (VIEW.height - 200) / (height + 60));
      const [left, top] = await frame(page, [x, y - 40], scale, [400, 100]);
      const clip = { x: left + 385, y: top + 85, width: width * scale + 30, height: (height + 50) * scale + 30 };
      await page.screenshot({ path: `${given.screenshots}/${mode} node ${type}.png`, clip });
    }
  }
}
