// The course of the training: losses, gap, weights, by step.

const steps = (data) => new Axis(0, data.frames.points.at(-1), data.uneven ? "step" : "linear");

function range(values, positive = false) {
  const known = values.filter((v) => v !== null && Number.isFinite(v) && (!positive || v > 0));
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}

views.loss = (data) => {
  const f = data.frames;
  const optimum = data.optimum?.loss ?? null;
  const all = range([...f.loss, ...f.batch, optimum]);
  if (!all) return null;
  const [low, high] = all;
  const log = low > 0 && high / low > 30;
  const y = log ? new Axis(low / 1.3, high * 1.3, "log")
    : new Axis(low - 0.04 * (high - low), high + 0.04 * (high - low));
  return {
    x: steps(data), y, xname: data.stepname, yname: "loss", right: 12,
    still(plot) {
      f.points.forEach((s, i) => {
        if (f.batch[i] === null) return;
        plot.c.globalAlpha = 0.5;
        plot.c.fillStyle = theme.of("main");
        plot.c.fillRect(plot.px(s) - 1.25, plot.py(f.batch[i]) - 1.25, 2.5, 2.5);
        plot.c.globalAlpha = 1;
      });
      plot.curve(f.points, f.loss, "now", 1, { alpha: 0.5 });
      if (optimum !== null) {
        const at = plot.py(optimum);
        plot.segment(plot.box.left, at, plot.box.right, at, "ink", 1.5, [6, 4]);
      }
    },
    moving(plot, t) {
      const i = f.at[t];
      cursor(plot, f.step[t]);
      plot.curve(f.points, f.loss, "now", 2, { to: i });
      if (f.batch[i] !== null) plot.here(f.step[t], f.batch[i], "main", 4.5);
      if (f.loss[i] !== null) plot.here(f.step[t], f.loss[i]);
    },
    words: (t) => `Loss by step. At step ${whole(f.step[t])}: ${digits(f.loss[f.at[t]])} on all data`
      + (f.batch[f.at[t]] === null ? "" : `, ${digits(f.batch[f.at[t]])} on the batch`)
      + (optimum === null ? "." : `; the optimum's is ${digits(optimum)}.`),
  };
};

views.gap = (data) => {
  const f = data.frames;
  const known = range(f.gap, true);
  if (!known) return null;
  const above = f.gap.map((g) => (g > 0 ? g : null));
  const proven = data.optimum.gap > known[0] * 1e-3 ? [data.optimum.gap] : [];
  const y = new Axis(Math.min(known[0], ...proven) / 2, known[1] * 2, "log");
  return {
    x: steps(data), y, xname: data.stepname, yname: data.optimum.attained ? "above the optimum" : "above the infimum",
    right: 12,
    still(plot) {
      plot.curve(f.points, above, "now", 1, { alpha: 0.5 });
      if (proven.length) {
        const at = plot.py(proven[0]);
        plot.segment(plot.box.left, at, plot.box.right, at, "ink", 1.25, [2, 3]);
        plot.say("certified to here", plot.box.right - 4, at - 10, "soft", "right");
      }
    },
    moving(plot, t) {
      cursor(plot, f.step[t]);
      plot.curve(f.points, above, "now", 2, { to: f.at[t] });
      if (above[f.at[t]] !== null) plot.here(f.step[t], above[f.at[t]]);
    },
    words: (t) => `How far the loss on all data is above the certified ${data.optimum.attained ? "optimum" : "infimum"},`
      + ` on a logarithmic scale, by step. At step ${whole(f.step[t])}: ${digits(f.gap[f.at[t]], 3)}.`,
  };
};

function cursor(plot, step) {
  plot.segment(plot.px(step), plot.box.top, plot.px(step), plot.box.bottom, "soft", 1);
}

// ------------------------------------------------------------------------------------------------- the weights

views.weights = (data) => {
  const d = data.direction;
  if (!d) return null;
  const [low, high] = range([...d.norm, d.optimum]);
  const most = Math.max(10, d.heading ?? 0, ...d.degrees.filter((a) => a !== null));
  const log = low > 0 && high / low > 30;
  return {
    x: log ? new Axis(low / 1.2, high * 1.2, "log") : new Axis(low - 0.05 * (high - low), high + 0.05 * (high - low)),
    y: new Axis(-0.05 * most, most * 1.06), xname: `length of ${d.vector}`, right: 16,
    yname: `degrees away from ${d.reference}`,
    still(plot) {
      plot.curve(d.norm, d.degrees, "soft", 1, { alpha: 0.7 });
    },
    moving(plot, t) {
      if (d.heading !== null) {
        const at = plot.py(d.heading);
        plot.segment(plot.box.left, at, plot.box.right, at, "soft", 1.5, [2, 3]);
        plot.say("where gradient descent is heading", plot.box.right - 4, at - 10, "soft", "right");
      }
      if (d.optimum) plot.target(d.optimum, 0);
      plot.curve(d.norm, d.degrees, "now", 2.5, { to: t });
      if (d.degrees[t] !== null) plot.here(d.norm[t], d.degrees[t]);
    },
    words: (t) => `Length of ${d.vector} against its angle with ${d.reference}. At this step: length`
      + ` ${digits(d.norm[t], 3)}, ${digits(d.degrees[t], 3)} degrees away.`,
  };
};

views.coefficients = (data) => {
  const b = data.bars;
  if (!b) return null;
  const [low, high] = range([0, ...b.now.flat(), ...(b.optimum ?? [])]);
  const count = b.names.length;
  const place = (i) => count - 1 - i;
  return {
    x: new Axis(low - 0.04 * (high - low), high + 0.04 * (high - low)), y: new Axis(-0.6, count - 0.4),
    xname: b.xname, yname: "", rows: b.names.map((name, i) => [place(i), name]), right: 12,
    still(plot) {
      plot.segment(plot.px(0), plot.box.top, plot.px(0), plot.box.bottom, "soft", 1, [2, 3]);
    },
    moving(plot, t) {
      b.names.forEach((_, i) => {
        const y = plot.py(place(i));
        plot.segment(plot.px(0), y, plot.px(b.now[t][i]), y, "now", 3);
        plot.here(b.now[t][i], place(i), "now", 5);
        if (b.optimum) plot.segment(plot.px(b.optimum[i]), y - 9, plot.px(b.optimum[i]), y + 9, "ink", 2);
      });
    },
    words: (t) => "Each coefficient beside the optimum's. " + b.names.map((name, i) =>
      `${name}: ${digits(b.now[t][i], 3)}` + (b.optimum ? ` (optimum ${digits(b.optimum[i], 3)})` : "")).join("; ") + ".",
  };
};

// Along each direction of the surface, how far the weights are from the optimum.
views.steepness = (data) => {
  const s = data.steepness;
  if (!s) return null;
  const [low, high] = range([...s.curvature, s.limit]);
  const most = range(s.away.flat())[1] || 1;
  const least = most * 1e-5;
  const shown = (v) => Math.max(v, least);
  return {
    x: new Axis(low / 2, high * 2, "log"), y: new Axis(least, most * 2, "log"), xname: "curvature",
    yname: "distance along it", right: 16,
    still(plot) {
      if (s.limit) plot.segment(plot.px(s.limit), plot.box.top, plot.px(s.limit), plot.box.bottom, "ink", 1.5, [6, 4]);
    },
    moving(plot, t) {
      s.curvature.forEach((c, i) => {
        const [from, to] = [shown(s.away[0][i]), shown(s.away[t][i])];
        plot.segment(plot.px(c), plot.py(from), plot.px(c), plot.py(to), "now", 3);
        plot.here(c, from, "ink", 4, true);
        plot.here(c, to, "now", 5);
      });
    },
    words: (t) => "Distance from the optimum along each direction of the surface: "
      + s.curvature.map((c, i) => `${digits(s.away[t][i], 2)} at curvature ${digits(c, 2)}`).join("; ")
      + (s.limit ? `. Steps overshoot above the curvature ${digits(s.limit, 3)}.` : "."),
  };
};

// The loss as a function of the score, with the scores of the rows shown on it.
views.score = (data) => {
  const s = data.curve;
  if (!s) return null;
  const value = (z) => {
    const u = ((z - s.x[0]) / (s.x.at(-1) - s.x[0])) * (s.x.length - 1);
    const i = Math.max(0, Math.min(s.x.length - 2, Math.floor(u)));
    return s.y[i] + (u - i) * (s.y[i + 1] - s.y[i]);
  };
  const along = (t) => {
    const z = scores(data, t);
    return s.residual ? z.map((v, i) => v - data.scores.target[i]) : margins(data, t);
  };
  return {
    x: new Axis(s.x[0], s.x.at(-1)), y: new Axis(...s.range), xname: s.xname, yname: s.yname, right: 12,
    still(plot) {
      plot.curve(s.x, s.y, "soft", 2);
      if (!s.residual) plot.segment(plot.px(0), plot.box.top, plot.px(0), plot.box.bottom, "soft", 1, [2, 3]);
    },
    moving(plot, t) {
      along(t).forEach((m, i) => {
        const at = Math.max(s.x[0], Math.min(s.x.at(-1), m));
        plot.mark(at, value(at), data.scores.truth ? data.scores.truth[i] : 0, 4, 0.75);
      });
    },
    words: () => s.alt,
  };
};
