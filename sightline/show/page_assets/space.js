// Data space: the rows with the model's boundary or line, or its scores, at any frame.

// Rows (weights..., bias) of each score at frame t.
function planes(data, w) {
  const p = data.shape[0];
  const k = data.shape[1];
  const found = Array.from({ length: k }, (_, j) => w.slice(j * (p + 1), (j + 1) * (p + 1)));
  return k > 1 ? found : [found[0].map((v) => -v / 2), found[0].map((v) => v / 2)];
}

// The part of a polygon where a·x + b·y + c >= 0 (Sutherland and Hodgman 1974).
function cut(polygon, a, b, c) {
  const side = ([x, y]) => a * x + b * y + c;
  const found = [];
  polygon.forEach((from, i) => {
    const to = polygon[(i + 1) % polygon.length];
    const [s, e] = [side(from), side(to)];
    if (s >= 0) found.push(from);
    if (s >= 0 !== e >= 0) {
      const u = s / (s - e);
      found.push([from[0] + u * (to[0] - from[0]), from[1] + u * (to[1] - from[1])]);
    }
  });
  return found;
}

// Where each class has the largest score, as polygons in the box.
function regions(plot, scores) {
  const { x, y } = plot;
  const whole = [[x.low, y.low], [x.high, y.low], [x.high, y.high], [x.low, y.high]];
  return scores.map((mine, k) => scores.reduce((polygon, theirs, j) => {
    if (j === k || !polygon.length) return polygon;
    const d = mine.map((v, i) => v - theirs[i]);
    return d.length === 3 ? cut(polygon, d[0], d[1], d[2]) : cut(polygon, d[0], 0, d[1]);
  }, whole));
}

function fill(plot, polygons, alpha) {
  polygons.forEach((polygon, k) => {
    plot.c.beginPath();
    for (const [x, y] of polygon) plot.c.lineTo(plot.px(x), plot.py(y));
    plot.c.closePath();
    plot.c.globalAlpha = alpha;
    plot.c.fillStyle = theme.class(k);
    plot.c.fill();
    plot.c.globalAlpha = 1;
  });
}

// The borders between classes: the edges of the polygons that are not the box's.
function borders(plot, polygons, colour, width, dash, alpha = 1) {
  const { x, y } = plot;
  const tiny = [(x.high - x.low) * 1e-9, (y.high - y.low) * 1e-9];
  const outer = (p, q) => [x.low, x.high].some((v) => Math.abs(p[0] - v) < tiny[0] && Math.abs(q[0] - v) < tiny[0])
    || [y.low, y.high].some((v) => Math.abs(p[1] - v) < tiny[1] && Math.abs(q[1] - v) < tiny[1]);
  plot.c.globalAlpha = alpha;
  for (const polygon of polygons.slice(1)) {
    polygon.forEach((p, i) => {
      const q = polygon[(i + 1) % polygon.length];
      if (!outer(p, q)) plot.segment(plot.px(p[0]), plot.py(p[1]), plot.px(q[0]), plot.py(q[1]), colour, width, dash);
    });
  }
  plot.c.globalAlpha = 1;
}

// Earlier frames whose boundary is shown too: halves of the way back, so nearer ones are denser.
function earlier(t) {
  const found = [];
  for (let back = Math.max(1, t / 24); found.length < 6 && t - back > 0; back *= 1.9) found.push(Math.round(t - back));
  if (t > 0 && !found.includes(0)) found.push(0);
  return found.reverse();
}

// Marks are smaller where they are many.
const size = (count) => (count > 150 ? 3.5 : count > 20 ? 4.5 : 7);

const link = {
  identity: (z) => z,
  probability: (z) => 1 / (1 + Math.exp(-z)),
  exponential: (z) => Math.exp(Math.min(z, 700)),
};

views.space = (data) => {
  const v = data.space;
  if (!v) return null;
  return { plane: spacePlane, lanes: spaceLanes, line: spaceLine, scores: spaceScores }[v.kind](data, v);
};

function spacePlane(data, v) {
  return {
    x: new Axis(...v.x), y: new Axis(...v.y), xname: v.xname, yname: v.yname, equal: v.equal && { x: v.x, y: v.y },
    moving(plot, t) {
      const now = regions(plot, planes(data, data.weights[t]));
      fill(plot, now, 0.1);
      earlier(t).forEach((u, i, all) => borders(plot, regions(plot, planes(data, data.weights[u])), "now", 1, [],
        0.2 + (0.3 * i) / all.length));
      v.points.forEach(([x, y], i) => plot.mark(x, y, v.classes[i], size(v.points.length)));
      if (v.optimum) borders(plot, regions(plot, planes(data, v.optimum)), "ink", 1.75, [6, 4]);
      borders(plot, now, "now", 3, []);
    },
    words: (t) => v.alt + wrong(data, t),
  };
}

function spaceLanes(data, v) {
  const xs = Array.from({ length: 121 }, (_, i) => v.x[0] + (i / 120) * (v.x[1] - v.x[0]));
  const curve = (w) => xs.map((x) => link[v.link](w[0] * x + w[1]));
  return {
    x: new Axis(...v.x), y: new Axis(...v.y), xname: v.xname, yname: v.yname, rows: v.rows,
    moving(plot, t) {
      const now = regions(plot, planes(data, data.weights[t]));
      fill(plot, now, 0.1);
      earlier(t).forEach((u, i, all) => borders(plot, regions(plot, planes(data, data.weights[u])), "now", 1, [],
        0.2 + (0.3 * i) / all.length));
      v.points.forEach(([x, y], i) => plot.mark(x, y, v.classes[i], 3.5, 0.85));
      if (v.link) {
        if (v.optimum) plot.curve(xs, curve(v.optimum), "ink", 1.5, { dash: [6, 4] });
        plot.curve(xs, curve(data.weights[t]), "now", 2);
      }
      if (v.optimum) borders(plot, regions(plot, planes(data, v.optimum)), "ink", 1.75, [6, 4]);
      borders(plot, now, "now", 3, []);
    },
    words: (t) => v.alt + wrong(data, t),
  };
}

function spaceLine(data, v) {
  const xs = Array.from({ length: 61 }, (_, i) => v.x[0] + (i / 60) * (v.x[1] - v.x[0]));
  const curves = (w) => {
    const k = data.shape[1];
    return Array.from({ length: k }, (_, j) => xs.map((x) => link[v.link](w[2 * j] * x + w[2 * j + 1])));
  };
  return {
    x: new Axis(...v.x), y: new Axis(...v.y), xname: v.xname, yname: v.yname,
    moving(plot, t) {
      v.points.forEach(([x, y], i) => plot.mark(x, y, v.classes[i], size(v.points.length)));
      earlier(t).forEach((u, i, all) => curves(data.weights[u]).forEach((ys) =>
        plot.curve(xs, ys, "now", 1, { alpha: 0.25 + (0.35 * i) / all.length })));
      if (v.optimum) for (const ys of curves(v.optimum)) plot.curve(xs, ys, "ink", 1.75, { dash: [6, 4] });
      for (const ys of curves(data.weights[t])) plot.curve(xs, ys, "now", 3);
    },
    words: () => v.alt,
  };
}

// Each point by what the model says of it now (up) and what the optimum says of it, or what is true (along).
function spaceScores(data, v) {
  return {
    x: new Axis(...v.x), y: new Axis(...v.y), xname: v.xname, yname: v.yname,
    still(plot) {
      if (v.zero) {
        plot.segment(plot.px(0), plot.box.top, plot.px(0), plot.box.bottom, "ink", 1.5, [6, 4]);
      }
      const low = Math.max(plot.x.low, plot.y.low);
      const high = Math.min(plot.x.high, plot.y.high);
      plot.segment(plot.px(low), plot.py(low), plot.px(high), plot.py(high), "soft", 1, [2, 3]);
    },
    moving(plot, t) {
      if (v.zero) plot.segment(plot.box.left, plot.py(0), plot.box.right, plot.py(0), "now", 2.5);
      const up = v.margins ? margins(data, t) : shown(data, t, v.link);
      up.forEach((y, i) => plot.mark(v.across[i], Math.max(plot.y.low, Math.min(plot.y.high, y)), v.classes[i],
        size(up.length), 0.85));
    },
    words: (t) => v.alt + (v.zero ? wrong(data, t) : ""),
  };
}

// ---------------------------------------------------------------------------------------- scores of the points

// Scores of the points at frame t, point after point, K numbers each: from the weights where the page holds them, else
// base + Σ_r coordinates[t][r]·basis[r].
function scores(data, t) {
  if (data.weights) {
    const [p, k] = data.shape;
    const w = data.weights[t];
    return data.scores.X.flatMap((x) => Array.from({ length: k }, (_, j) =>
      x.reduce((z, v, i) => z + v * w[j * (p + 1) + i], w[j * (p + 1) + p])));
  }
  const { base, basis, coordinates } = data.scores;
  const found = base.slice();
  coordinates[t].forEach((c, r) => basis[r].forEach((b, i) => { found[i] += c * b; }));
  return found;
}

const shown = (data, t, name) => scores(data, t).map(link[name ?? "identity"]);

// By how much the true class's score is above the best of the others (for two: the score towards the true class).
function margins(data, t) {
  const z = scores(data, t);
  const k = data.shape[1];
  return data.scores.truth.map((y, i) => {
    if (k === 1) return y ? z[i] : -z[i];
    const mine = z.slice(i * k, (i + 1) * k);
    return mine[y] - Math.max(...mine.filter((_, j) => j !== y));
  });
}

function wrong(data, t) {
  if (!data.scores?.truth) return "";
  const count = margins(data, t).filter((m) => m <= 0).length;
  return ` At this step ${count} of the ${data.scores.truth.length} rows shown are told wrongly.`;
}
