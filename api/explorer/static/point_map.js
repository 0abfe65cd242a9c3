// Many points on a canvas: drawn as pixels, so that a hundred thousand move smoothly without a graphics card.

const LIGHT = ["#8b949e", "#0067b0", "#c44f00", "#00805b", "#a3488a", "#8a6d00", "#5b4bc4", "#b42318", "#3f6f1d"];
const DARK = ["#6e7681", "#5cb3f2", "#f3924f", "#3dc79a", "#e59bcb", "#e0c04a", "#a99bff", "#ff8a7a", "#9bcf6b"];
const GRID = 256, SIDE = 65535, NEAR = 14, MOST_ZOOM = 400;

export class PointMap {
  onView = () => {};
  onOpen = () => {};
  onPoint = () => {};
  frames = 0;
  #points = { users: [], places: [], group: [], n: 0 };
  #cells = null;
  #labels = [];
  #pointed = -1;
  #hint = null;
  #past = [];
  #next = [];
  #view = { x: SIDE / 2, y: SIDE / 2, zoom: 1 };
  #asked = 0;
  #drag = null;
  #touches = new Map();
  #image = null;

  constructor(canvas, top) {
    this.canvas = canvas;
    this.top = top;
    this.context = canvas.getContext("2d", { alpha: false });
    this.over = top.getContext("2d");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.redraw = () => this.#ask();
    addEventListener("theme", this.redraw);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.redraw);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#touches.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.point(-1));
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  close() {
    this.observer.disconnect();
    removeEventListener("theme", this.redraw);
    this.scheme.removeEventListener("change", this.redraw);
    cancelAnimationFrame(this.#asked);
  }

  /** users: uint32 (n,); places: uint16 (n, 2); group: uint8 (n,), the colour. The first are drawn last, on top. */
  use({ users, places, group }) {
    const isNew = users.length !== this.#points.n;
    this.#points = { users, places, group, n: users.length };
    this.#cells = cellsOf(places);
    if (isNew) this.#labels = [];
    this.#ask();
    this.onView();
  }

  colour(group) {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : this.scheme.matches;
    return (dark ? DARK : LIGHT)[group % LIGHT.length];
  }

  resize() {
    const scale = Math.min(2, devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    for (const canvas of [this.canvas, this.top]) { canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); }
    this.scale = scale;
    this.#image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.#image.data.buffer);
    this.#ask();
    this.onView();
  }

  reset() { this.#view = { x: SIDE / 2, y: SIDE / 2, zoom: 1 }; this.#changed(); }

  /** Zooms around a place of the canvas, by default its middle. */
  zoomBy(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const before = this.#toMap(x, y);
    this.#view.zoom = Math.min(MOST_ZOOM, Math.max(0.7, this.#view.zoom * factor));
    const after = this.#toMap(x, y);
    this.#view.x += before[0] - after[0];
    this.#view.y += before[1] - after[1];
    this.#changed();
  }

  goTo(number) {
    this.#view = { x: this.#points.places[2 * number], y: this.#points.places[2 * number + 1], zoom: Math.max(6, this.#view.zoom) };
    this.point(number);
    this.onPoint(number);
    this.#changed();
  }

  point(number) { if (number !== this.#pointed) { this.#pointed = number; this.#hint = null; this.#ask(); } }
  hint(number, title, more) { if (number === this.#pointed) { this.#hint = { title, more }; this.#ask(); } }
  label(labels) { this.#labels = labels; this.#ask(); }

  /** Numbers of a history, the most important first, and of recommendations. The view then shows all of them. */
  path(past, next) {
    this.#past = past;
    this.#next = next;
    const all = [...past, ...next];
    if (all.length) {
      const xs = all.map((number) => this.#points.places[2 * number]), ys = all.map((number) => this.#points.places[2 * number + 1]);
      const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      this.#view = { x: (left + right) / 2, y: (low + high) / 2, zoom: Math.max(0.9, Math.min(8, (0.8 * SIDE) / Math.max(right - left, high - low, 1))) };
    }
    this.#changed();
  }

  /** Numbers of the points in view with the most users: points are in that order. */
  mostProminent(most) {
    const found = [], { places, n } = this.#points;
    const [left, high] = this.#toMap(0, 0), [right, low] = this.#toMap(this.canvas.clientWidth, this.canvas.clientHeight);
    for (let at = 0; at < n && found.length < most; at++) {
      const x = places[2 * at], y = places[2 * at + 1];
      if (x >= left && x <= right && y >= low && y <= high) found.push(at);
    }
    return found;
  }

  #unit() { return (Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * 0.94 * this.#view.zoom) / SIDE; }
  #toMap(x, y) { const unit = this.#unit(); return [this.#view.x + (x - this.canvas.clientWidth / 2) / unit, this.#view.y - (y - this.canvas.clientHeight / 2) / unit]; }
  #toCanvas(number) {
    const unit = this.#unit(), { places } = this.#points;
    return [this.canvas.clientWidth / 2 + (places[2 * number] - this.#view.x) * unit, this.canvas.clientHeight / 2 - (places[2 * number + 1] - this.#view.y) * unit];
  }
  /** Where a point is drawn: x and y from the upper left corner of the canvas. */
  placeOf(number) { return this.#toCanvas(number); }
  #changed() { this.#ask(); this.onView(); }
  #ask() { if (!this.#asked) this.#asked = requestAnimationFrame(() => { this.#asked = 0; this.draw(); }); }

  draw() {
    if (!this.pixels) return;
    this.frames++;
    const style = getComputedStyle(document.documentElement);
    this.#drawPoints(style.getPropertyValue("--soft"));
    this.#drawOver(style);
  }

  #drawPoints(paper) {
    const { places, group, n } = this.#points, { width, height } = this.canvas, pixels = this.pixels;
    const unit = this.#unit() * this.scale, left = width / 2 - this.#view.x * unit, bottom = height / 2 + this.#view.y * unit;
    const size = Math.max(1, Math.min(5, Math.round((n > 30000 ? 0.6 : n > 5000 ? 1.2 : 2) * this.scale * Math.min(2.5, this.#view.zoom ** 0.3))));
    const spans = disc(size), colours = Array.from({ length: 256 }, (_, at) => packed(this.colour(at)));
    pixels.fill(packed(paper));
    for (let at = n - 1; at >= 0; at--) {
      const x = (left + places[2 * at] * unit) | 0, y = (bottom - places[2 * at + 1] * unit) | 0;
      if (x < size || y < size || x >= width - size || y >= height - size) continue;
      const colour = colours[group[at]];
      for (let row = -size; row <= size; row++) {
        const half = spans[row + size], start = (y + row) * width + x;
        for (let pixel = start - half; pixel <= start + half; pixel++) pixels[pixel] = colour;
      }
    }
    this.context.putImageData(this.#image, 0, 0);
  }

  #drawOver(style) {
    const over = this.over, ink = style.getPropertyValue("--ink"), paper = style.getPropertyValue("--raised"), mark = style.getPropertyValue("--mark-line");
    over.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    over.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    if (this.#past.length) {
      over.strokeStyle = mark;
      over.lineWidth = 2;
      over.beginPath();
      [...this.#past].reverse().forEach((number, at) => { const [x, y] = this.#toCanvas(number); if (at) over.lineTo(x, y); else over.moveTo(x, y); });
      over.stroke();
      for (const number of this.#past) dot(over, this.#toCanvas(number), 5, mark, ink);
    }
    for (const number of this.#next) star(over, this.#toCanvas(number), 9, style.getPropertyValue("--accent"), ink);
    over.font = "12px system-ui, sans-serif";
    over.textBaseline = "middle";
    const taken = [];
    for (const { number, text } of this.#labels) if (text && number !== this.#pointed) this.#write(this.#toCanvas(number), text, { ink, paper, taken });
    if (this.#pointed >= 0) {
      const place = this.#toCanvas(this.#pointed);
      dot(over, place, 6, mark, ink);
      if (this.#hint) this.#write(place, this.#hint.title, { ink, paper, more: this.#hint.more, bold: true });
    }
  }

  /** A name beside a point, if there is room for it. */
  #write([x, y], text, { ink, paper, taken, more, bold }) {
    const over = this.over, shown = text.length > 34 ? `${text.slice(0, 33)}…` : text;
    over.font = `${bold ? "600 13px" : "12px"} system-ui, sans-serif`;
    const width = Math.max(over.measureText(shown).width, more ? over.measureText(more).width : 0) + 8, height = more ? 36 : 18;
    let left = x + 8;
    if (left + width > this.canvas.clientWidth) left = x - 8 - width;
    const box = [left, y - height / 2, left + width, y + height / 2];
    if (taken?.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) return;
    if (left < 0 || box[1] < 0 || box[3] > this.canvas.clientHeight) { if (taken) return; }
    taken?.push(box);
    over.globalAlpha = bold ? 1 : 0.86;
    over.fillStyle = paper;
    over.fillRect(box[0], box[1], width, height);
    over.globalAlpha = 1;
    over.fillStyle = ink;
    over.fillText(shown, left + 4, more ? y - 8 : y);
    if (more) { over.font = "12px system-ui, sans-serif"; over.fillText(more, left + 4, y + 9); }
  }

  /** The nearest point within reach of a place of the canvas, -1 if none is. */
  nearest(x, y) {
    if (!this.#cells) return -1;
    const [mx, my] = this.#toMap(x, y), reach = NEAR / this.#unit(), { places } = this.#points;
    const cell = (value) => Math.max(0, Math.min(GRID - 1, Math.floor((value * GRID) / (SIDE + 1))));
    let best = -1, least = reach * reach;
    for (let row = cell(my - reach); row <= cell(my + reach); row++) {
      for (let column = cell(mx - reach); column <= cell(mx + reach); column++) {
        const at = row * GRID + column;
        for (let place = this.#cells.starts[at]; place < this.#cells.starts[at + 1]; place++) {
          const number = this.#cells.numbers[place], dx = places[2 * number] - mx, dy = places[2 * number + 1] - my, distance = dx * dx + dy * dy;
          if (distance < least) { least = distance; best = number; }
        }
      }
    }
    return best;
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.#touches.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#drag = { x: event.offsetX, y: event.offsetY, far: false };
  }
  #move(event) {
    const before = this.#touches.get(event.pointerId), here = [event.offsetX, event.offsetY];
    if (!before) {
      const number = this.nearest(...here);
      if (number !== this.#pointed) { this.point(number); if (number >= 0) this.onPoint(number); }
      return;
    }
    if (this.#touches.size === 2) {
      const [other] = [...this.#touches].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]), is = Math.hypot(here[0] - other[0], here[1] - other[1]);
      if (was > 0) this.zoomBy(is / was, (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    } else {
      const unit = this.#unit();
      this.#view.x -= (here[0] - before[0]) / unit;
      this.#view.y += (here[1] - before[1]) / unit;
      this.#changed();
    }
    this.#touches.set(event.pointerId, here);
    if (this.#drag && Math.hypot(here[0] - this.#drag.x, here[1] - this.#drag.y) > 5) this.#drag.far = true;
  }
  #up(event) {
    this.#touches.delete(event.pointerId);
    const wasClick = this.#drag && !this.#drag.far;
    this.#drag = null;
    const number = wasClick ? this.nearest(event.offsetX, event.offsetY) : -1;
    if (number >= 0) this.onOpen(number);
  }
  #key(event) {
    const step = 60 / this.#unit();
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) { this.#view.x += moves[event.key][0]; this.#view.y += moves[event.key][1]; this.#changed(); }
    else if (event.key === "+" || event.key === "=") this.zoomBy(1.4);
    else if (event.key === "-") this.zoomBy(1 / 1.4);
    else if (event.key === "0") this.reset();
    else if (event.key === "Enter") { const number = this.#middle(); if (number >= 0) this.onOpen(number); }
    else return;
    event.preventDefault();
    const number = this.#middle();
    this.point(number);
    if (number >= 0) this.onPoint(number);
  }
  #middle() { return this.nearest(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2); }
}

/** By cell of a grid, which points lie in it. */
function cellsOf(places) {
  const n = places.length / 2, starts = new Uint32Array(GRID * GRID + 1), numbers = new Uint32Array(n);
  const cell = (at) => Math.floor((places[2 * at + 1] * GRID) / (SIDE + 1)) * GRID + Math.floor((places[2 * at] * GRID) / (SIDE + 1));
  for (let at = 0; at < n; at++) starts[cell(at) + 1]++;
  for (let at = 0; at < GRID * GRID; at++) starts[at + 1] += starts[at];
  const next = starts.slice();
  for (let at = 0; at < n; at++) numbers[next[cell(at)]++] = at;
  return { starts, numbers };
}

/** Half the length of each row of a disc. */
const disc = (radius) => Array.from({ length: 2 * radius + 1 }, (_, at) => Math.floor(Math.sqrt(Math.max(0, (radius + 0.4) ** 2 - (at - radius) ** 2))));

/** A colour such as #0067b0 as a pixel. */
function packed(colour) {
  const text = colour.trim(), full = text.length === 4 ? [...text.slice(1)].map((digit) => digit + digit).join("") : text.slice(1);
  return (0xff000000 | (parseInt(full.slice(4, 6), 16) << 16) | (parseInt(full.slice(2, 4), 16) << 8) | parseInt(full.slice(0, 2), 16)) >>> 0;
}
function dot(over, [x, y], radius, colour, edge) {
  over.beginPath();
  over.arc(x, y, radius, 0, 2 * Math.PI);
  over.fillStyle = colour;
  over.fill();
  over.strokeStyle = edge;
  over.lineWidth = 1.5;
  over.stroke();
}
function star(over, [x, y], radius, colour, edge) {
  over.beginPath();
  for (let at = 0; at < 10; at++) {
    const length = at % 2 ? radius * 0.45 : radius, angle = (Math.PI * at) / 5 - Math.PI / 2;
    over.lineTo(x + length * Math.cos(angle), y + length * Math.sin(angle));
  }
  over.closePath();
  over.fillStyle = colour;
  over.fill();
  over.strokeStyle = edge;
  over.lineWidth = 1.2;
  over.stroke();
}
