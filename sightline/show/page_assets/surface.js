// The loss surface over two weights, or over the plane in which the weights moved most, with the path on it.

const views = {};

views.surface = (data) => {
  const s = data.surface;
  if (!s) return null;
  // Height counted in contours: k at the k-th, in proportion between them and beyond.
  const marks = [s.lowest, ...s.levels];
  const level = (z) => {
    let k = 1;
    while (k < marks.length - 1 && z > marks[k]) k++;
    return k - 1 + (z - marks[k - 1]) / (marks[k] - marks[k - 1] || 1);
  };
  const grid = s.z.map((row) => row.map(level));
  const [xs, ys] = [s.path.map((p) => p[0]), s.path.map((p) => p[1])];
  const at = data.frames.at;
  const dots = s.path.length <= 120;
  const width = s.path.length <= 300 ? 2.5 : 1.5;
  return {
    x: new Axis(s.x[0], s.x[1]), y: new Axis(s.y[0], s.y[1]), xname: s.xname, yname: s.yname, bare: true,
    right: (c) => 30 + Math.max(...named(s.levels, 1).map((text) => c.measureText(text).width)),
    still(plot) {
      bands(plot, grid, s.levels.length);
      for (let k = 1; k <= s.levels.length; k++) isoline(plot, grid, k);
      if (s.ray) ray(plot, s.ray);
      plot.curve(xs, ys, "ink", 1, { alpha: 0.45 });
      legend(plot, s.levels);
    },
    moving(plot, t) {
      const now = at[t];
      plot.curve(xs, ys, "page", width + 2, { to: now });
      plot.curve(xs, ys, "now", width, { to: now });
      if (dots) {
        for (let i = 1; i < now; i++) plot.dot(xs[i], ys[i], "now", 3);
      }
      plot.here(xs[0], ys[0], "ink", 5, true);
      if (s.optimum) plot.target(...s.optimum);
      plot.here(xs[now], ys[now], "now", 7);
      plot.say("start", plot.px(xs[0]) + 10, plot.py(ys[0]) - 10);
    },
    words: (t) => `${s.alt} At this step the weights are at ${digits(xs[at[t]])}, ${digits(ys[at[t]])}`
      + (s.optimum ? `; the optimum is at ${digits(s.optimum[0])}, ${digits(s.optimum[1])}.` : "."),
  };
};

// The colour of a band, from the lowest (0) to the highest (count).
function shade(k, count) {
  const at = (6 * k) / count;
  const i = Math.min(5, Math.floor(at));
  const [from, to] = [theme.rgb("s" + i), theme.rgb("s" + (i + 1))];
  return from.map((c, n) => Math.round(c + (to[n] - c) * (at - i)));
}

// The grid's nodes lie on the borders of the box; row 0 is the lowest.
function bands(plot, grid, count) {
  const { left, right, top, bottom } = plot.box;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round((right - left) * ratio), Math.round((bottom - top) * ratio)];
  const image = plot.c.createImageData(w, h);
  const colours = Array.from({ length: count + 1 }, (_, k) => shade(k, count));
  const [rows, columns] = [grid.length, grid[0].length];
  for (let j = 0; j < h; j++) {
    const v = ((h - 1 - j) / Math.max(h - 1, 1)) * (rows - 1);
    const r = Math.min(Math.floor(v), rows - 2);
    for (let i = 0; i < w; i++) {
      const u = (i / Math.max(w - 1, 1)) * (columns - 1);
      const q = Math.min(Math.floor(u), columns - 2);
      const [a, b] = [u - q, v - r];
      const z = (1 - b) * ((1 - a) * grid[r][q] + a * grid[r][q + 1])
        + b * ((1 - a) * grid[r + 1][q] + a * grid[r + 1][q + 1]);
      const colour = colours[Math.max(0, Math.min(Math.floor(z), count))];
      const at = 4 * (j * w + i);
      for (let n = 0; n < 3; n++) image.data[at + n] = colour[n];
      image.data[at + 3] = 255;
    }
  }
  plot.c.putImageData(image, Math.round(left * ratio), Math.round(top * ratio));
}

// Marching squares, two segments at most in a cell.
function isoline(plot, grid, k) {
  const { left, right, top, bottom } = plot.box;
  const [rows, columns] = [grid.length, grid[0].length];
  const place = (q, r) => [left + (q / (columns - 1)) * (right - left), bottom - (r / (rows - 1)) * (bottom - top)];
  const c = plot.c;
  c.strokeStyle = theme.of("soft");
  c.globalAlpha = 0.35;
  c.lineWidth = 0.75;
  c.beginPath();
  for (let r = 0; r < rows - 1; r++) {
    for (let q = 0; q < columns - 1; q++) {
      const corners = [[q, r], [q + 1, r], [q + 1, r + 1], [q, r + 1]];
      const found = [];
      for (let e = 0; e < 4; e++) {
        const [[q1, r1], [q2, r2]] = [corners[e], corners[(e + 1) % 4]];
        const [z1, z2] = [grid[r1][q1], grid[r2][q2]];
        if (z1 < k !== z2 < k) {
          const s = (k - z1) / (z2 - z1);
          found.push(place(q1 + s * (q2 - q1), r1 + s * (r2 - r1)));
        }
      }
      for (let e = 0; e + 1 < found.length; e += 2) {
        c.moveTo(...found[e]);
        c.lineTo(...found[e + 1]);
      }
    }
  }
  c.stroke();
  c.globalAlpha = 1;
}

// The heights of every so many contours, in as many digits as tell them apart.
function named(levels, every) {
  const chosen = levels.filter((_, k) => k % every === 0);
  const texts = (n) => chosen.map((v) => digits(v, n));
  return texts([2, 3, 4, 5].find((n) => new Set(texts(n)).size === chosen.length) ?? 6);
}

// The scale of heights, beside the box.
function legend(plot, levels) {
  const c = plot.c;
  c.restore();
  c.save(); // outside of the box's clip
  const { right, top, bottom } = plot.box;
  const step = (bottom - top) / (levels.length + 1);
  const every = Math.ceil(15 / step);
  c.textAlign = "left";
  c.textBaseline = "middle";
  for (let k = 0; k <= levels.length; k++) {
    c.fillStyle = `rgb(${shade(k, levels.length)})`;
    c.fillRect(right + 8, bottom - (k + 1) * step, 8, step + (k ? 0.5 : 0));
  }
  c.fillStyle = theme.of("soft");
  named(levels, every).forEach((text, i) => c.fillText(text, right + 20, bottom - (i * every + 1) * step));
  c.fillText("loss", right + 8, top - 12);
}

// The direction in which the loss falls for ever, from the origin to the border and beyond.
function ray(plot, [a, b]) {
  const far = 4 * Math.max(...[plot.x.low, plot.x.high, plot.y.low, plot.y.high].map(Math.abs)) / Math.hypot(a, b);
  plot.segment(plot.px(0), plot.py(0), plot.px(far * a), plot.py(far * b), "page", 4);
  plot.segment(plot.px(0), plot.py(0), plot.px(far * a), plot.py(far * b), "ink", 1.5, [6, 4]);
}
