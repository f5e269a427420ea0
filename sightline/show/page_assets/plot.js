// Plots on canvases: a pair of axes, a frame that is drawn once, and marks that are drawn at every step.

const FAR = 1e5; // pixels

const theme = {
  colours: {},
  font: "",
  read() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["page", "panel", "ink", "soft", "line", "grid", "main", "now",
      "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "s0", "s1", "s2", "s3", "s4", "s5", "s6"]) {
      this.colours[name] = style.getPropertyValue("--" + name).trim();
    }
    this.font = getComputedStyle(document.body).fontFamily;
  },
  of(name) { return this.colours[name]; },
  rgb(name) {
    const hex = this.colours[name].replace("#", "");
    const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
    return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16));
  },
  class(k) { return this.colours["c" + (k % 8)]; },
};

// A number in few digits, with a minus sign; null is a dash.
function digits(value, count = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)) + 1e-12);
  let text;
  if (size >= -4 && size < 7) {
    text = value.toFixed(Math.max(count - 1 - size, 0));
    const [whole, part] = text.split(".");
    text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
  } else {
    text = value.toExponential(Math.max(count - 2, 1)).replace("e+", "e");
  }
  return text.replaceAll("-", "−");
}

// The same without the zeros at its end.
const brief = (value, count) => digits(value, count).replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1");

// A whole number with commas.
const whole = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");

// Round numbers from low to high, about as many as asked.
function ticks(low, high, most) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw * (1 - 1e-9));
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k <= Math.floor(high / step + 1e-9); k++) found.push(k * step);
  return found;
}

function tickText(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4) {
    return value.toExponential(0).replace("e+", "e").replaceAll("-", "−");
  }
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const [whole, part] = value.toFixed(places).split(".");
  return (whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "")).replaceAll("-", "−");
}

// An axis: linear, "log" (powers of ten) or "step" (logarithm of 1 + step, which has a zero).
class Axis {
  constructor(low, high, kind = "linear") {
    this.kind = kind;
    if (!(high > low)) {
      [low, high] = kind === "log" ? [low / 2, low * 2] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(low) || 1) / 2];
    }
    this.low = low;
    this.high = high;
    [this.begin, this.end] = [this.scaled(low), this.scaled(high)];
  }
  scaled(v) { return this.kind === "log" ? Math.log10(v) : this.kind === "step" ? Math.log1p(v) : v; }
  share(v) { return (this.scaled(v) - this.begin) / (this.end - this.begin); }
  labels(room) {
    if (this.kind === "linear") {
      const values = ticks(this.low, this.high, room);
      const step = values.length > 1 ? values[1] - values[0] : Math.abs(values[0]) || 1;
      return values.map((v) => [v, tickText(v, step)]);
    }
    if (this.kind === "step") {
      const found = [[0, "0"]];
      for (let v = 1; v <= this.high; v *= 10) found.push([v, tickText(v, 1)]);
      const every = Math.max(1, Math.ceil(found.length / room));
      return found.filter((_, i) => i % every === 0);
    }
    const [from, to] = [Math.ceil(this.begin - 1e-9), Math.floor(this.end + 1e-9)];
    if (to - from < 1) { // less than two powers of ten: what lies between them too
      const found = [];
      for (let e = from - 1; e <= to; e++) found.push(...[1, 2, 5].map((m) => m * 10 ** e));
      const seen = found.filter((v) => v >= this.low * (1 - 1e-9) && v <= this.high * (1 + 1e-9));
      return (seen.length > 1 ? seen : ticks(this.low, this.high, room)).map((v) => [v, brief(v, 3)]);
    }
    const every = Math.max(1, Math.ceil((to - from) / room));
    const found = [];
    for (let e = from; e <= to; e += every) {
      found.push([10 ** e, Math.abs(e) <= 3 ? tickText(10 ** e, 10 ** e) : "1e" + String(e).replace("-", "−")]);
    }
    return found;
  }
}

// The canvas of a figure. x, y : axes.  still(plot) draws what stays, moving(plot, frame) what changes.
class Plot {
  constructor(canvas, spec) {
    Object.assign(this, { canvas, right: 10, ...spec });
    this.context = canvas.getContext("2d");
    this.back = document.createElement("canvas");
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    for (const c of [this.canvas, this.back]) {
      c.width = Math.round(this.width * ratio);
      c.height = Math.round(this.height * ratio);
    }
    const c = this.back.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.font = "12px " + theme.font;
    const rows = this.y.labels(Math.max(2, Math.floor(this.height / 55)));
    const names = this.rows ?? rows;
    this.box = { left: Math.ceil(Math.max(20, ...names.map(([, t]) => c.measureText(t).width)) + 10), top: 24 };
    this.box.right = this.width - (typeof this.right === "function" ? this.right(c) : this.right);
    this.box.bottom = this.height - 38;
    this.c = c;
    if (this.equal) this.even();
    this.clipped(() => this.still?.(this));
    this.axes(names);
    this.c = this.context;
    this.c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.c.font = c.font;
  }

  // One unit is as long across as up: angles between lines are what they are.
  even() {
    const { left, right, top, bottom } = this.box;
    this.x = new Axis(...this.equal.x);
    this.y = new Axis(...this.equal.y);
    const unit = Math.max((this.x.high - this.x.low) / (right - left), (this.y.high - this.y.low) / (bottom - top));
    for (const [axis, pixels] of [["x", right - left], ["y", bottom - top]]) {
      const middle = (this[axis].low + this[axis].high) / 2;
      this[axis] = new Axis(middle - (unit * pixels) / 2, middle + (unit * pixels) / 2);
    }
  }

  axes(rows) {
    const { left, right, top, bottom } = this.box;
    const c = this.c;
    c.fillStyle = theme.of("soft");
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const [v, text] of rows) {
      const y = this.py(v);
      if (y < top - 1 || y > bottom + 1) continue;
      if (!this.bare) this.segment(left, y, right, y, "grid", 1);
      c.fillText(text, left - 8, y);
    }
    this.segment(left, bottom, right, bottom, "line", 1);
    c.textBaseline = "top";
    for (const [v, text] of this.x.labels(Math.max(2, Math.floor((right - left) / 64)))) {
      const x = this.px(v);
      this.segment(x, bottom, x, bottom + 4, "line", 1);
      const half = c.measureText(text).width / 2;
      c.textAlign = "center";
      c.fillText(text, Math.min(Math.max(x, half), this.width - half), bottom + 7);
    }
    c.textAlign = "center";
    c.fillText(this.xname, (left + right) / 2, bottom + 23);
    c.textAlign = "left";
    c.textBaseline = "alphabetic";
    c.fillText(this.yname, 0, 12);
  }

  draw(frame) {
    const c = this.c;
    c.clearRect(0, 0, this.width, this.height);
    c.drawImage(this.back, 0, 0, this.width, this.height);
    this.clipped(() => this.moving(this, frame));
  }

  clipped(draw) {
    const { left, right, top, bottom } = this.box;
    this.c.save();
    this.c.beginPath();
    this.c.rect(left, top, right - left, bottom - top);
    this.c.clip();
    draw();
    this.c.restore();
  }

  px(v) { return this.box.left + this.x.share(v) * (this.box.right - this.box.left); }
  py(v) { return this.box.bottom - this.y.share(v) * (this.box.bottom - this.box.top); }

  // Marks, in pixels.
  segment(x1, y1, x2, y2, colour, width = 2, dash = []) {
    const c = this.c;
    c.strokeStyle = theme.of(colour) ?? colour;
    c.lineWidth = width;
    c.setLineDash(dash);
    c.beginPath();
    c.moveTo(x1, y1);
    c.lineTo(x2, y2);
    c.stroke();
    c.setLineDash([]);
  }

  // Marks, in the data's units.  A null in xs or ys breaks the line.
  curve(xs, ys, colour, width = 2, { dash = [], from = 0, to = xs.length - 1, alpha = 1 } = {}) {
    const c = this.c;
    c.save();
    c.globalAlpha = alpha;
    c.strokeStyle = theme.of(colour) ?? colour;
    c.lineWidth = width;
    c.lineJoin = c.lineCap = "round";
    c.setLineDash(dash);
    c.beginPath();
    let pen = null;
    for (let i = from; i <= to; i++) {
      if (xs[i] === null || ys[i] === null) { pen = null; continue; }
      let [x, y] = [this.px(xs[i]), this.py(ys[i])];
      const far = pen ? FAR / Math.max(Math.abs(x - pen[0]), Math.abs(y - pen[1])) : 1;
      // Canvases lose their bearings with numbers too large: a path that leaves the picture ends not far outside.
      if (far < 1) [x, y] = [pen[0] + far * (x - pen[0]), pen[1] + far * (y - pen[1])];
      if (pen) c.lineTo(x, y); else c.moveTo(x, y);
      pen = [x, y];
    }
    c.stroke();
    c.restore();
  }

  // A point's mark: colour and shape by class, so that neither has to do alone.
  mark(x, y, k, size = 4, alpha = 1) {
    const c = this.c;
    c.globalAlpha = alpha;
    shape(c, this.px(x), this.py(y), k, size);
    c.lineWidth = 0.75;
    c.fillStyle = theme.class(k);
    c.strokeStyle = theme.of("page");
    c.fill();
    c.stroke();
    c.globalAlpha = 1;
  }

  // Where the training is now, or was (hollow) at its start.
  here(x, y, colour = "now", size = 6, hollow = false) {
    const c = this.c;
    c.beginPath();
    c.arc(this.px(x), this.py(y), size, 0, 7);
    c.fillStyle = theme.of(hollow ? "page" : colour);
    c.strokeStyle = theme.of(hollow ? colour : "page");
    c.lineWidth = 2;
    c.fill();
    c.stroke();
  }

  dot(x, y, colour, size) {
    this.c.beginPath();
    this.c.arc(this.px(x), this.py(y), size, 0, 7);
    this.c.fillStyle = theme.of(colour);
    this.c.fill();
  }

  // Words on the picture, legible on whatever is under them.
  say(text, px, py, colour = "ink", align = "left") {
    const c = this.c;
    const width = c.measureText(text).width;
    const { left, right } = this.box;
    const x = align === "left" ? Math.max(left + 2, Math.min(px, right - width - 2)) : Math.max(px, left + width + 2);
    c.textAlign = align;
    c.textBaseline = "middle";
    c.lineWidth = 3;
    c.lineJoin = "round";
    c.strokeStyle = theme.of("page");
    c.strokeText(text, x, py);
    c.fillStyle = theme.of(colour);
    c.fillText(text, x, py);
  }

  // The optimum: a star.
  target(x, y) {
    const c = this.c;
    const [px, py] = [this.px(x), this.py(y)];
    c.beginPath();
    for (let i = 0; i < 10; i++) {
      const [r, a] = [i % 2 ? 4.2 : 10, (i * Math.PI) / 5 - Math.PI / 2];
      c.lineTo(px + r * Math.cos(a), py + r * Math.sin(a));
    }
    c.closePath();
    c.lineWidth = 3;
    c.lineJoin = "round";
    c.strokeStyle = theme.of("page");
    c.stroke();
    c.fillStyle = theme.of("ink");
    c.fill();
  }
}

// Circle, square, triangle, diamond, triangle upside down, pentagon, hexagon, pentagon upside down.
function shape(c, x, y, k, r) {
  c.beginPath();
  if (k % 8 === 0) { c.arc(x, y, r, 0, 7); return; }
  const sides = [0, 4, 3, 4, 3, 5, 6, 5][k % 8];
  const turn = [0, 0.25, -0.5, 0, 0.5, -0.5, 0, 0.5][k % 8] * Math.PI;
  const size = sides === 3 ? r * 1.35 : r * 1.2;
  for (let i = 0; i < sides; i++) {
    const angle = turn + (2 * Math.PI * i) / sides;
    c.lineTo(x + size * Math.cos(angle), y + size * Math.sin(angle));
  }
  c.closePath();
}
