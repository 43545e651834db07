// Opens ComfyUI in Chromium and answers what its pages make of the workflows, as JSON on standard output.
// Standard input: {url, chromium, workflows: [name], run: [name], pictures: [name, name], screenshots: folder or null}

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const { chromium } = createRequire(import.meta.url)('playwright-core'); // also looks in NODE_PATH
const given = JSON.parse(readFileSync(0, 'utf8'));
const OURS = '/extensions/emo-portrait/';
const PACK = 'emo-portrait';
const VIEW = { width: 1600, height: 900 };
const VUE_NODES_SINCE = 35; // of frontend 1.x; before, they show no widgets of packs and no videos
const SETTLE_MS = 1500; // the page fits and draws what it has loaded; panels look for changes several times a second
// Up to 24 hours and 10,000 points are a curve.
const CURVES = {
  short: '0:4, 2.5:20',
  'a slip of the finger': '0:4, 1e9:5',
  'no number': '0:4, 1e400:5',
  day: '0:4, 86400:5',
  'too many': Array.from({ length: 10001 }, (_, i) => `${i}:4`).join(','),
  many: Array.from({ length: 10000 }, (_, i) => `${i}:4`).join(','),
};

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
  const version = await page.evaluate(() => window.__COMFYUI_FRONTEND_VERSION__);
  const [major, minor] = version.split('.').map(Number);
  const ready = !vue || major > 1 || minor >= VUE_NODES_SINCE;
  const workflows = {};
  const players = {};
  for (const name of given.workflows) {
    workflows[name] = await opened(page, name, vue && ready);
    await picture(page, `${mode} ${name}`);
    if (!ready || !given.run.includes(name)) continue;
    const seed = given.run.indexOf(name) + (vue ? given.run.length : 0); // else ComfyUI answers from its cache
    players[name] = await played(page, seed);
    await picture(page, `${mode} ${name}, after Run`);
  }
  await closeDialog(page);
  const panels = ready ? { curve: await curves(page), box: await boxes(page), people: await people(page) } : null;
  await page.close();
  return { version, ready, workflows, players, panels, errors };
}

async function setting(id, value) {
  await fetch(`${given.url}/settings/${id}`, { method: 'POST', body: JSON.stringify(value) });
}

async function picture(page, name) {
  if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
}

// Older pages show what models a workflow misses in a dialog over everything else.
async function closeDialog(page) {
  const dialog = page.locator('[role=dialog]').first();
  if (!(await dialog.isVisible())) return;
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
}

// By hand, in the template browser: what is unknown or asked for, how large it is shown, and the prompt it makes.
async function opened(page, name, drawnInPage) {
  await closeDialog(page);
  await page.evaluate(() => window.app.extensionManager.command.execute('Comfy.BrowseTemplates'));
  await page.locator('[role=dialog]').getByText(PACK, { exact: true }).first().click();
  await page.getByTestId(`template-workflow-${name}`).click();
  await page.getByTestId(`template-workflow-${name}`).waitFor({ state: 'detached' });
  await page.waitForTimeout(SETTLE_MS);
  const found = await page.evaluate(async (inPage) => {
    const known = window.LiteGraph.registered_node_types;
    const { canvas, graph } = window.app;
    const ofPage = (element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return [element.dataset.nodeId, left, top, width, height];
    };
    const ofCanvas = (node) => [node.type, node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30];
    return {
      missing: graph.nodes.map((node) => node.type).filter((type) => !known[type]),
      prompt: (await window.app.graphToPrompt()).output,
      zoom: canvas.ds.scale,
      textHidden: canvas.low_quality,
      cost: graph.nodes.find((node) => node.type === 'EMOSampler')?.emoElement?.querySelector('.emo-stop').innerText,
      boxes: inPage ? [...document.querySelectorAll('[data-node-id]')].map(ofPage) : graph.nodes.map(ofCanvas),
    };
  }, drawnInPage);
  const complaint = page.locator('[data-testid=error-overlay], [role=dialog]').first();
  return { ...found, complaint: (await complaint.isVisible()) ? await complaint.innerText() : '' };
}

// Presses Run; the file that the player on the node shows in the end. The canvas only fills nodes in sight.
async function played(page, seed) {
  await page.evaluate(async (value) => {
    const sampler = window.app.graph.nodes.find((node) => node.type === 'EMOSampler');
    sampler.widgets.find((widget) => widget.name === 'seed').value = value;
    window.emoSaid = new Set(); // what the bar below the preview says while the sampler works
    const bar = sampler.emoElement?.querySelector('.emo-stop');
    if (bar) new MutationObserver(() => window.emoSaid.add(bar.innerText)).observe(bar, { childList: true, subtree: true });
    await window.app.queuePrompt(0);
  }, seed);
  const video = page.locator('video[src*=".mp4"], video:has(source[src*=".mp4"])').first();
  try {
    await video.waitFor({ state: 'attached', timeout: 90000 });
  } catch (error) {
    if (error.name !== 'TimeoutError') throw error;
    return { source: null };
  }
  await page.waitForTimeout(SETTLE_MS);
  const said = await page.evaluate(() => [...window.emoSaid]);
  return await video.evaluate((element, said) => ({
    source: element.currentSrc || element.src,
    width: element.videoWidth,
    duration: element.duration,
    said,
  }), said);
}

// What the head speed curve says of each text, whether its frame is red, and how much it draws.
async function curves(page) {
  await page.evaluate(() => {
    window.app.graph.clear();
    const node = window.LiteGraph.createNode('EMOHeadSpeed');
    window.app.graph.add(node);
    node.pos = [300, 300];
    node.widgets.find((widget) => widget.name === 'mode').value = 'curve';
    Object.assign(window.app.canvas.ds, { scale: 1, offset: [0, 0] });
    window.app.canvas.setDirty(true, true);
  });
  const found = {};
  for (const [name, text] of Object.entries(CURVES)) {
    await page.evaluate((value) => {
      const node = window.app.graph.nodes.find((each) => each.type === 'EMOHeadSpeed');
      node.widgets.find((widget) => widget.name === 'curve').value = value;
    }, text);
    await page.waitForTimeout(700);
    found[name] = await page.evaluate(() => {
      const panel = window.app.graph.nodes.find((each) => each.type === 'EMOHeadSpeed').emoElement;
      const note = panel.querySelector('.emo-note').textContent;
      return { note, wrong: panel.querySelector('.emo-error') !== null, elements: panel.querySelectorAll('*').length };
    });
  }
  return found;
}

// A box is drawn on one picture, then Load Image gets another: what the node says, and after each button.
async function boxes(page) {
  const [first, second] = given.pictures;
  await page.evaluate((name) => {
    window.app.graph.clear();
    const [loader, face] = ['LoadImage', 'FaceRegionMask'].map((type) => window.LiteGraph.createNode(type));
    for (const node of [loader, face]) window.app.graph.add(node);
    loader.pos = [100, 200];
    face.pos = [500, 200];
    loader.widgets.find((widget) => widget.name === 'image').value = name;
    loader.connect(0, face, face.inputs.findIndex((input) => input.name === 'image'));
    window.app.canvas.setDirty(true, true);
  }, first);
  const plot = page.locator('.emo-picture .emo-overlay').first();
  await plot.waitFor({ state: 'visible' });
  await page.waitForTimeout(SETTLE_MS);
  const place = await plot.boundingBox();
  await page.mouse.move(place.x + place.width * 0.4, place.y + place.height * 0.3);
  await page.mouse.down();
  await page.mouse.move(place.x + place.width * 0.6, place.y + place.height * 0.7, { steps: 4 });
  await page.mouse.up();
  const said = { drawn: await boxSays(page) };
  const choose = (name) => page.evaluate((value) => {
    const loader = window.app.graph.nodes.find((each) => each.type === 'LoadImage');
    loader.widgets.find((widget) => widget.name === 'image').value = value;
  }, name);
  await choose(second);
  said.other = await boxSays(page);
  await choose(first);
  said.back = await boxSays(page);
  await choose(second);
  await page.waitForTimeout(500);
  await page.getByRole('button', { name: 'This box is right for this picture too' }).click();
  said.kept = await boxSays(page);
  await choose(first);
  await page.waitForTimeout(500);
  await page.getByRole('button', { name: 'Detect the face' }).click();
  said.cleared = await boxSays(page);
  return said;
}

// After `boxes`: a second person is added, moved by keys, selected by clicks, removed, added and undone.
async function people(page) {
  const press = (name) => page.getByRole('button', { name }).click();
  const click = async (index) => {
    const place = await page.locator(`[data-face="${index}"]`).boundingBox();
    await page.mouse.click(place.x + place.width / 2, place.y + place.height / 2);
  };
  await page.evaluate((name) => {
    const loader = window.app.graph.nodes.find((each) => each.type === 'LoadImage');
    loader.widgets.find((widget) => widget.name === 'image').value = name;
  }, given.pictures[1]);
  await page.getByText(/^Detected /).waitFor(); // two faces take the server longer than one
  const said = { alone: await peopleSay(page) };
  await press('Add a person');
  said.added = await peopleSay(page);
  await page.keyboard.press('Shift+ArrowDown');
  said.moved = await peopleSay(page);
  await click(0);
  said.first = await peopleSay(page);
  await click(1);
  await page.keyboard.press('Delete');
  said.removed = await peopleSay(page);
  await press('Add a person');
  await page.waitForTimeout(500);
  await page.evaluate(() => window.app.extensionManager.command.execute('Comfy.Undo'));
  said.undone = await peopleSay(page);
  return said;
}

async function peopleSay(page) {
  const { note } = await boxSays(page);
  return await page.evaluate((text) => {
    const face = window.app.graph.nodes.find((each) => each.type === 'FaceRegionMask');
    const shown = (name) => [...face.emoElement.querySelectorAll(name)];
    return {
      note: text,
      more: face.widgets.find((widget) => widget.name === 'more_faces').value,
      tags: shown('.emo-tag').map((tag) => tag.textContent),
      handles: shown('.emo-handle').length,
      nodes: window.app.graph.nodes.length,
    };
  }, note);
}

async function boxSays(page) {
  await page.waitForTimeout(500);
  return await page.evaluate(() => {
    const face = window.app.graph.nodes.find((each) => each.type === 'FaceRegionMask');
    const value = (name) => face.widgets.find((widget) => widget.name === name).value;
    const values = ['box_x', 'box_y', 'box_width', 'box_height'].map(value);
    return { note: face.emoElement.querySelector('.emo-note').textContent, values };
  });
}
