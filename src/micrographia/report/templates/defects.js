"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const { width, height, nm, labels, channels, sites, spacing, opinions } = report;
  const unfamiliar = new Set(opinions ? opinions.unfamiliar : []);
  const count = sites.x.length;
  const find = (selector) => document.querySelector(selector);
  const canvas = find("#scan");
  const pen = canvas.getContext("2d");
  const panel = find("#site");
  const readout = find("#readout");
  const view = { zoom: 1, x: width / 2, y: height / 2 }; // centre of the view in pixels of the scan
  const shown = labels.map(() => true);
  const pictures = new Map();
  let layer = "data", channel = 0, hovered = -1, chosen = -1, waiting = false;

  // ---- drawing -------------------------------------------------------------------------------
  const picture = (c, kind) => {
    const key = `${c}/${kind}`;
    if (!pictures.has(key)) {
      const image = new Image();
      image.onload = draw;
      image.src = channels[c][kind];
      pictures.set(key, image);
    }
    return pictures.get(key);
  };
  const box = () => ({ w: canvas.clientWidth, h: canvas.clientHeight });
  const fit = () => Math.min(box().w / width, box().h / height);
  const toScreen = (x, y) => [(x - view.x) * view.zoom + box().w / 2, (y - view.y) * view.zoom + box().h / 2];
  const toScan = (u, v) => [(u - box().w / 2) / view.zoom + view.x, (v - box().h / 2) / view.zoom + view.y];

  const trace = (shape, u, v, r) => {
    const polygon = (corners, turn) => {
      for (let k = 0; k < corners; k++) {
        const angle = turn + (2 * Math.PI * k) / corners;
        const at = [u + 1.18 * r * Math.cos(angle), v + 1.18 * r * Math.sin(angle)];
        k ? pen.lineTo(...at) : pen.moveTo(...at);
      }
      pen.closePath();
    };
    const ring = (radius) => { pen.moveTo(u + radius, v); pen.arc(u, v, radius, 0, 2 * Math.PI); };
    if (shape === "square") polygon(4, Math.PI / 4);
    else if (shape === "diamond") polygon(4, 0);
    else if (shape === "triangle") polygon(3, -Math.PI / 2);
    else if (shape === "hexagon") polygon(6, 0);
    else { ring(r); if (shape === "double circle") ring(r * 0.5); }
  };

  const draw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };

  const paint = () => {
    const ratio = window.devicePixelRatio || 1, { w, h } = box();
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
    const image = picture(channel, layer);
    const [left, top] = toScreen(-0.5, -0.5);
    if (image.complete) {
      pen.imageSmoothingEnabled = view.zoom < 2;
      pen.drawImage(image, left, top, width * view.zoom, height * view.zoom);
    }
    const radius = Math.max(0.31 * spacing * view.zoom, 3);
    const dot = Math.min(Math.max(0.055 * spacing * view.zoom, 0.8), 3.2);
    for (let k = 0; k < labels.length; k++) {
      if (!shown[k]) continue;
      const { shape, colour } = labels[k];
      if (shape === "dot" && spacing * view.zoom < 5) continue; // so dense that dots would only veil the scan
      pen.beginPath();
      for (let s = 0; s < count; s++) {
        if (sites.label[s] !== k) continue;
        const [u, v] = toScreen(sites.x[s], sites.y[s]);
        if (u < -30 || v < -30 || u > w + 30 || v > h + 30) continue;
        if (shape !== "dot") trace(shape, u, v, radius);
        else if (dot < 1.2) pen.rect(u - dot, v - dot, 2 * dot, 2 * dot);
        else { pen.moveTo(u + dot, v); pen.arc(u, v, dot, 0, 2 * Math.PI); }
      }
      if (shape === "dot") {
        pen.globalAlpha = 0.6; pen.fillStyle = colour; pen.fill(); pen.globalAlpha = 1;
      } else {
        const line = Math.min(Math.max(radius * 0.17, 1.3), 3.5);
        pen.lineWidth = line + 2; pen.strokeStyle = "#101010b0"; pen.stroke();
        pen.lineWidth = line; pen.strokeStyle = colour; pen.stroke();
      }
    }
    for (const [site, style] of [[hovered, "#ffffffb0"], [chosen, "#ffffff"]]) {
      if (site < 0) continue;
      const [u, v] = toScreen(sites.x[site], sites.y[site]);
      const r = radius * 1.65;
      pen.beginPath();
      for (let q = 0; q < 4; q++) { pen.moveTo(...[u + r * Math.cos(q * Math.PI / 2 + .4), v + r * Math.sin(q * Math.PI / 2 + .4)]); pen.arc(u, v, r, q * Math.PI / 2 + .4, (q + 1) * Math.PI / 2 - .4); }
      pen.lineWidth = 4; pen.strokeStyle = "#101010b0"; pen.stroke();
      pen.lineWidth = 2; pen.strokeStyle = style; pen.stroke();
    }
    paintScaleBar(w, h);
  };

  const paintScaleBar = (w, h) => {
    const perPixel = nm || 1, unit = nm ? "nm" : "px";
    const target = (130 / view.zoom) * perPixel;
    const power = 10 ** Math.floor(Math.log10(target));
    const length = [5, 2, 1].map((m) => m * power).find((m) => m <= target);
    const long = (length / perPixel) * view.zoom;
    pen.fillStyle = "#14171ac8";
    pen.fillRect(12, h - 48, long + 20, 36);
    pen.fillStyle = "#fff";
    pen.fillRect(22, h - 23, long, 4);
    pen.font = "13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillText(`${Number(length.toPrecision(2))} ${unit}`, 22 + long / 2, h - 29);
  };

  // ---- one site ------------------------------------------------------------------------------
  const element = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const round = (p) => (p > 0.995 ? "> 0.99" : p < 0.005 ? "< 0.01" : p.toFixed(2));
  const fixed = (value) => (value === null ? "–" : value.toFixed(2));
  const swatch = (k) => find(`#mark-${labels[k].id}`).cloneNode(true);

  const describeOpinions = (site) => {
    const said = ["physics", "network"].map((method) => {
      const p = labels.map((label, k) => [label.id, (opinions[method] || sites.p)[site * labels.length + k]]).sort((a, b) => b[1] - a[1]);
      return `${method}: ${p.filter(([, value], k) => k === 0 || value >= 0.005).slice(0, 2).map(([id, value]) => `${id} ${round(value)}`).join(", ")}`;
    });
    const held = labels.filter((_, k) => opinions.sets[site] & (1 << k)).map((label) => label.id);
    for (const line of [...said, held.length ? `label set: {${held.join(", ")}}` : "label set: no label"]) panel.append(element("div", { class: "small" }, line));
    if (unfamiliar.has(site)) panel.append(element("span", { class: "badge unknown" }, "unfamiliar to the network"));
  };

  const describe = (site) => {
    panel.replaceChildren();
    if (site < 0) {
      panel.append(element("p", { class: "hint" }, "Point at a site to see the posterior of its labels; click to keep it. Click a row of any table to come here."));
      const keys = element("p", { class: "hint" });
      for (const [key, what] of [["+", "closer  "], ["−", "away  "], ["0", "whole scan  "], ["arrows", "move  "], ["n", "next and  "], ["p", "previous defect  "], ["Esc", "let go"]]) keys.append(element("kbd", {}, key), ` ${what} `);
      panel.append(keys);
      return;
    }
    const k = sites.label[site];
    const mark = swatch(k);
    mark.removeAttribute("id");
    panel.append(element("h3", {}, mark, labels[k].words));
    const place = nm ? ` = (${(sites.x[site] * nm).toFixed(2)}, ${(sites.y[site] * nm).toFixed(2)}) nm` : "";
    panel.append(element("div", { class: "soft small" }, `Site ${site}, at (${sites.x[site].toFixed(1)}, ${sites.y[site].toFixed(1)}) px${place}`));
    const bars = element("div", { class: "posterior" });
    labels.map((label, j) => [label, sites.p[site * labels.length + j], j])
      .filter(([label]) => label.sublattice === labels[k].sublattice)
      .sort((a, b) => b[1] - a[1])
      .forEach(([label, p]) => {
        const bar = element("i");
        bar.style.width = `${100 * p}%`;
        bars.append(element("span", { title: label.words }, label.id), element("span", { class: "track" }, bar), element("span", {}, round(p)));
      });
    panel.append(bars);
    panel.append(element("div", { class: "soft small" }, `Entropy ${sites.entropy[site].toFixed(2)} nats · residual ${fixed(sites.residual[site])} (about 1 where the model holds)`));
    if (opinions) describeOpinions(site);
    const evidence = find(`[data-evidence="${site}"]`);
    if (evidence) {
      const copy = evidence.cloneNode(true);
      copy.removeAttribute("data-evidence");
      panel.append(element("div", { class: "soft small", style: "margin:10px 0 4px" }, evidence.dataset.heads), copy);
    }
  };

  const choose = (site, { look = false } = {}) => {
    chosen = site;
    document.querySelectorAll(".chosen").forEach((row) => row.classList.remove("chosen"));
    document.querySelectorAll(`[data-site="${site}"]`).forEach((row) => row.classList.add("chosen"));
    describe(site);
    if (look && site >= 0) {
      shown[sites.label[site]] = true;
      syncFilters();
      view.x = sites.x[site];
      view.y = sites.y[site];
      view.zoom = Math.max(view.zoom, 34 / spacing * 1.6, fit());
      keepInside();
    }
    draw();
  };

  const nearest = (u, v) => {
    const [x, y] = toScan(u, v);
    const reach = Math.max(0.5 * spacing, 8 / view.zoom);
    let best = -1, least = reach * reach;
    for (let s = 0; s < count; s++) {
      if (!shown[sites.label[s]]) continue;
      const d = (sites.x[s] - x) ** 2 + (sites.y[s] - y) ** 2;
      if (d < least) { least = d; best = s; }
    }
    return best;
  };

  // ---- moving --------------------------------------------------------------------------------
  const keepInside = () => {
    view.zoom = Math.min(Math.max(view.zoom, fit()), 64);
    for (const [axis, size, span] of [["x", width, box().w], ["y", height, box().h]]) {
      const half = span / view.zoom / 2;
      view[axis] = 2 * half >= size ? (size - 1) / 2 : Math.min(Math.max(view[axis], half - 0.5), size - 0.5 - half);
    }
  };
  const zoomAt = (factor, u = box().w / 2, v = box().h / 2) => {
    const [x, y] = toScan(u, v);
    view.zoom = Math.min(Math.max(view.zoom * factor, fit()), 64);
    view.x = x - (u - box().w / 2) / view.zoom;
    view.y = y - (v - box().h / 2) / view.zoom;
    keepInside();
    draw();
  };
  const whole = () => { view.zoom = fit(); keepInside(); draw(); };

  let scrolled = 0;
  window.addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true });
  canvas.addEventListener("wheel", (event) => {
    const away = event.deltaY > 0 && view.zoom <= fit() * 1.001;
    // A scroll of the page that passes over the scan goes on being a scroll of the page.
    if (!event.ctrlKey && (away || performance.now() - scrolled < 220)) return;
    event.preventDefault();
    const step = event.deltaMode === 1 ? 18 : 1;
    zoomAt(Math.exp(-event.deltaY * step * (event.ctrlKey ? 0.01 : 0.0018)), event.offsetX, event.offsetY);
  }, { passive: false });

  const fingers = new Map();
  let travelled = 0;
  const spread = () => { const [a, b] = [...fingers.values()]; return [Math.hypot(a.u - b.u, a.v - b.v), (a.u + b.u) / 2, (a.v + b.v) / 2]; };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { u: event.offsetX, v: event.offsetY });
    travelled = fingers.size > 1 ? 99 : 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = toScan(event.offsetX, event.offsetY);
    const inside = x >= -0.5 && y >= -0.5 && x < width - 0.5 && y < height - 0.5;
    readout.textContent = inside ? `${x.toFixed(0)}, ${y.toFixed(0)} px${nm ? ` · ${(x * nm).toFixed(2)}, ${(y * nm).toFixed(2)} nm` : ""}` : "";
    const before = fingers.get(event.pointerId);
    if (!before) {
      const site = nearest(event.offsetX, event.offsetY);
      if (site !== hovered) { hovered = site; describe(site >= 0 ? site : chosen); draw(); }
      return;
    }
    const old = fingers.size === 2 ? spread() : null;
    const move = [event.offsetX - before.u, event.offsetY - before.v];
    before.u = event.offsetX;
    before.v = event.offsetY;
    travelled += Math.abs(move[0]) + Math.abs(move[1]);
    if (old) {
      const now = spread();
      view.x -= (now[1] - old[1]) / view.zoom;
      view.y -= (now[2] - old[2]) / view.zoom;
      zoomAt(now[0] / Math.max(old[0], 1), now[1], now[2]);
    } else if (travelled > 4) {
      canvas.classList.add("drag");
      view.x -= move[0] / view.zoom;
      view.y -= move[1] / view.zoom;
      keepInside();
      draw();
    }
  });
  const release = (event) => {
    if (fingers.delete(event.pointerId) && event.type === "pointerup" && travelled <= 4) choose(nearest(event.offsetX, event.offsetY));
    canvas.classList.remove("drag");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { hovered = -1; readout.textContent = ""; describe(chosen); draw(); });

  const nextDefect = (step) => {
    const start = chosen < 0 ? (step > 0 ? -1 : count) : chosen;
    for (let k = 1; k <= count; k++) {
      const s = (((start + step * k) % count) + count) % count;
      if (labels[sites.label[s]].defect && shown[sites.label[s]]) { choose(s, { look: true }); return; }
    }
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const hop = 60 / view.zoom;
    const actions = {
      "+": () => zoomAt(1.4), "=": () => zoomAt(1.4), "-": () => zoomAt(1 / 1.4), "0": whole,
      ArrowLeft: () => { view.x -= hop; }, ArrowRight: () => { view.x += hop; },
      ArrowUp: () => { view.y -= hop; }, ArrowDown: () => { view.y += hop; },
      n: () => nextDefect(1), p: () => nextDefect(-1), Escape: () => choose(-1),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
    keepInside();
    draw();
  });
  find("#closer").addEventListener("click", () => zoomAt(1.5));
  find("#away").addEventListener("click", () => zoomAt(1 / 1.5));
  find("#whole").addEventListener("click", whole);

  // ---- choices -------------------------------------------------------------------------------
  const describeScale = () => {
    const residual = layer === "residual";
    find("#ramp").className = `ramp ${residual ? "diverging" : "grey"}`;
    const [low, high] = residual ? channels[channel].residual_ends : channels[channel].ends;
    find("#low").textContent = low;
    find("#high").textContent = high;
    find("#unit").textContent = `${residual ? "data − model, " : ""}${report.unit}`;
  };
  document.querySelectorAll("input[name=layer]").forEach((input) => input.addEventListener("change", () => { layer = input.value; describeScale(); draw(); }));
  document.querySelectorAll("input[name=channel]").forEach((input) => input.addEventListener("change", () => { channel = Number(input.value); describeScale(); draw(); }));
  const filters = [...document.querySelectorAll("input[name=label]")];
  const syncFilters = () => filters.forEach((input, k) => { input.checked = shown[k]; });
  filters.forEach((input, k) => input.addEventListener("change", () => { shown[k] = input.checked; draw(); }));
  const show = (rule) => { labels.forEach((label, k) => { shown[k] = rule(label); }); syncFilters(); draw(); };
  find("#show-all").addEventListener("click", () => show(() => true));
  find("#show-defects").addEventListener("click", () => show((label) => label.defect));
  find("#show-none").addEventListener("click", () => show(() => false));

  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-site]");
    if (!row || row.closest("#site")) return;
    choose(Number(row.dataset.site), { look: true });
    find("#viewer").scrollIntoView({ block: "start" });
    canvas.focus({ preventScroll: true });
  });

  // ---- the table of all defects, made when it is opened ---------------------------------------
  const list = find("#every-defect");
  if (list) list.addEventListener("toggle", () => {
    const body = list.querySelector("tbody");
    if (body.childElementCount) return;
    const best = (s) => sites.p[s * labels.length + sites.label[s]];
    const rows = [...Array(count).keys()].filter((s) => labels[sites.label[s]].defect).sort((a, b) => best(a) - best(b));
    for (const s of rows.slice(0, report.most_rows)) {
      const label = labels[sites.label[s]];
      const row = element("tr", { "data-site": s });
      const button = element("button", { class: "jump", type: "button" }, String(s));
      const mark = swatch(sites.label[s]);
      mark.removeAttribute("id");
      const cells = [button, "", `${sites.x[s].toFixed(1)}, ${sites.y[s].toFixed(1)}`, round(best(s)), sites.entropy[s].toFixed(2), fixed(sites.residual[s])];
      cells.forEach((cell, k) => row.append(element("td", k > 1 ? { class: "n" } : {}, cell)));
      row.children[1].append(mark, label.words, element("span", { class: "soft" }, ` ${label.id}`));
      body.append(row);
    }
  });

  new ResizeObserver(() => { keepInside(); draw(); }).observe(canvas);
  whole();
  describe(-1);
  describeScale();
  const wanted = /^#site-(\d+)$/.exec(window.location.hash);
  if (wanted && Number(wanted[1]) < count) {
    choose(Number(wanted[1]), { look: true });
    find("#viewer").scrollIntoView({ block: "start", behavior: "instant" });
  }
})();
