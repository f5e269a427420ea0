// The player: one frame for all views, moved by buttons, slider, keys or time.

const page = JSON.parse(document.getElementById("replay").textContent);
const byId = (id) => document.getElementById(id);
const last = page.frames.step.length - 1;
const plots = [];
const state = { frame: last, playing: false, since: 0 };

function build() {
  for (const figure of document.querySelectorAll("figure[data-view]")) {
    const view = views[figure.dataset.view](page);
    if (view) plots.push(new Plot(figure.querySelector("canvas"), view));
    else figure.hidden = true;
  }
}

function layout() {
  theme.read();
  for (const plot of plots) plot.resize();
  show(state.frame);
}

function show(frame) {
  state.frame = Math.max(0, Math.min(last, frame));
  const t = state.frame;
  for (const plot of plots) {
    plot.draw(t);
    plot.canvas.dataset.frame = t;
    if (!state.playing) plot.canvas.setAttribute("aria-label", plot.words(t));
  }
  byId("slider").value = t;
  byId("slider").setAttribute("aria-valuetext", `step ${whole(page.frames.step[t])} of ${whole(page.frames.step[last])}`);
  for (const [id, text] of Object.entries(readings(t))) {
    const place = byId("now-" + id);
    if (place) place.textContent = text;
  }
  byId("first").disabled = byId("back").disabled = t === 0;
  byId("forward").disabled = byId("end").disabled = t === last;
}

function readings(t) {
  const f = page.frames;
  const epoch = f.epoch[t] === null ? "–" : f.epoch[t] < 1000 ? f.epoch[t].toFixed(f.epoch[t] % 1 ? 2 : 0) : whole(f.epoch[t]);
  return {
    step: whole(f.step[t]), epoch, batch: digits(f.batch[f.at[t]]), loss: digits(f.loss[f.at[t]]),
    gap: digits(f.gap[f.at[t]], 3), rate: brief(f.rate[t], 3),
  };
}

// Frames a second: the whole training in about ten seconds, at the speed of 1.
const pace = () => Number(byId("speed").value) * Math.max(3, Math.min(40, last / 10));

function play(on) {
  state.playing = on && last > 0;
  const button = byId("play");
  button.textContent = state.playing ? "Pause" : "Play";
  button.dataset.playing = state.playing;
  if (!state.playing) {
    go(state.frame);
    return;
  }
  if (state.frame === last) show(0);
  state.since = performance.now();
  state.from = state.frame;
  requestAnimationFrame(tick);
}

function tick(now) {
  if (!state.playing) return;
  const frame = state.from + Math.max(0, Math.floor(((now - state.since) * pace()) / 1000));
  if (frame !== state.frame) show(frame);
  if (state.frame >= last) play(false);
  else requestAnimationFrame(tick);
}

function go(frame) {
  if (state.playing) play(false);
  show(frame);
  tell();
}

// What a screen reader says of the step that was gone to.
function tell() {
  const now = readings(state.frame);
  byId("told").textContent = `Step ${now.step}: loss ${now.loss}` + (now.gap === "–" ? "." : `, gap ${now.gap}.`);
}

function speed(by) {
  const select = byId("speed");
  select.selectedIndex = Math.max(0, Math.min(select.options.length - 1, select.selectedIndex + by));
  paced();
}

function paced() {
  state.since = performance.now();
  state.from = state.frame;
}

function keys(event) {
  const on = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey || on.tagName === "SELECT") return;
  const act = {
    " ": () => play(!state.playing), ArrowLeft: () => go(state.frame - 1), ArrowRight: () => go(state.frame + 1),
    Home: () => go(0), End: () => go(last), "+": () => speed(1), "-": () => speed(-1),
  }[event.key];
  if (!act) return;
  if (event.key === " " && /^(BUTTON|SUMMARY|A)$/.test(on.tagName)) return; // presses what has the focus
  event.preventDefault();
  act();
}

function start() {
  build();
  byId("slider").max = last;
  byId("play").addEventListener("click", () => play(!state.playing));
  byId("first").addEventListener("click", () => go(0));
  byId("back").addEventListener("click", () => go(state.frame - 1));
  byId("forward").addEventListener("click", () => go(state.frame + 1));
  byId("end").addEventListener("click", () => go(last));
  byId("slider").addEventListener("input", (event) => go(Number(event.target.value)));
  byId("speed").addEventListener("change", paced);
  document.addEventListener("keydown", keys);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", layout);
  new ResizeObserver(layout).observe(document.querySelector("main"));
  const asked = /^#step=(\d+)$/.exec(location.hash);
  if (asked) {
    const at = page.frames.step.findIndex((s) => s >= Number(asked[1]));
    state.frame = at < 0 ? last : at;
  }
  byId("controls").hidden = false;
  layout();
}

start();
