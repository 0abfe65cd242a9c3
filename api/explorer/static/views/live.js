// The live page: requests, their times, fallbacks, recall, events, experiments, from the service's own metrics.
import { el, count, fill, percent, svg } from "../dom.js";
import { by, one, samples, sum } from "../metrics.js";

const SECONDS = 2, KEPT = 60;
const OWN = /^\/v1\/explorer|^\/explore|^\/metrics$|^\/livez$|^\/readyz$|^\/$/;

export async function show(root) {
  const tiles = el("div", { class: "tiles" }), tables = el("div", { class: "even" });
  const history = [];
  root.append(el("h1", { text: "Live" }), el("p", { class: "weak", text: `From the service’s own metrics, every ${SECONDS} seconds. Lines show the last two minutes. Requests for the files of these pages are left out.` }), tiles, el("p"), tables);
  let timer = 0;
  async function look() {
    try {
      const found = await samples();
      history.push(reading(found, performance.now() / 1000, history.at(-1)));
      if (history.length > KEPT) history.shift();
      draw(tiles, tables, history, found);
    } catch (error) {
      fill(tiles, el("div", { class: "note bad", role: "alert" }, el("p", { text: error.status === 404 ? "This address has no metrics: the service serves them elsewhere." : error.message })));
    }
    timer = setTimeout(look, 1000 * SECONDS);
  }
  await look();
  return () => clearTimeout(timer);
}

/** Totals of one moment, and what came since `before`. */
function reading(found, at, before) {
  const people = (labels) => !OWN.test(labels.route ?? "");
  const now = { at, requests: sum(found, "recsys_requests_total", people), failed: sum(found, "recsys_requests_total", (labels) => people(labels) && /^5/.test(labels.status)), buckets: buckets(found, people) };
  const seconds = before ? Math.max(0.1, at - before.at) : 0;
  const came = before ? now.buckets.map(([limit, total], place) => [limit, total - (before.buckets[place]?.[1] ?? 0)]) : [];
  const lists = sum(found, "recsys_lists_total"), fallbacks = sum(found, "recsys_lists_total", (labels) => labels.user_status === "fallback");
  return { ...now, lists, fallbacks, rate: before ? (now.requests - before.requests) / seconds : 0, failures: before ? (now.failed - before.failed) / seconds : 0, p50: quantile(came, 0.5), p95: quantile(came, 0.95), events: sum(found, "recsys_events_accepted_total"), eventRate: before ? (sum(found, "recsys_events_accepted_total") - before.events) / seconds : 0 };
}

function buckets(found, people) {
  const totals = new Map();
  for (const sample of found) if (sample.name === "recsys_request_seconds_bucket" && people(sample.labels)) { const limit = sample.labels.le === "+Inf" ? Infinity : Number(sample.labels.le); totals.set(limit, (totals.get(limit) ?? 0) + sample.value); }
  return [...totals].sort(([a], [b]) => a - b);
}

/** Within a bucket, times are taken as spread evenly. */
function quantile(cumulative, share) {
  const all = cumulative.at(-1)?.[1] ?? 0;
  if (!all) return null;
  let low = 0, below = 0;
  for (const [limit, total] of cumulative) {
    if (total >= share * all) return Number.isFinite(limit) ? low + ((limit - low) * (share * all - below)) / Math.max(1e-9, total - below) : low;
    low = limit;
    below = total;
  }
  return low;
}

const time = (seconds) => (seconds === null ? "–" : seconds < 0.01 ? `${(1000 * seconds).toFixed(1)} ms` : seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

function draw(tiles, tables, history, found) {
  const now = history.at(-1), of = (name) => history.map((each) => each[name] ?? 0);
  const events = found.some((sample) => sample.name === "recsys_events_accepted_total"), memory = sum(found, "process_resident_memory_bytes");
  const recall = one(found, "recsys_recall", (labels) => labels.kind === "recommendations"), published = one(found, "recsys_model_published");
  fill(tiles,
    tile("Requests a second", now.rate.toFixed(1), spark(of("rate"))), tile("Time to answer, half of them within", time(now.p50), spark(of("p50"))), tile("95 % of them within", time(now.p95), spark(of("p95"))),
    tile("Failures a second (5xx)", now.failures.toFixed(1), spark(of("failures"))), tile("Lists of popular items, for want of anything known", now.lists ? percent(now.fallbacks / now.lists) : "–", el("p", { class: "small weak", text: `${count(now.fallbacks)} of ${count(now.lists)} lists since the start` })),
    tile("Recall of the search", recall === undefined ? "not checked yet" : percent(recall), el("p", { class: "small weak", text: "share of the right items that are found" })),
    events ? tile("Events a second", now.eventRate.toFixed(1), spark(of("eventRate")), el("p", { class: "small weak", text: `${count(now.events)} since the start` })) : null,
    tile("The model", published === 0 ? "not the published one" : "as published", el("p", { class: "small weak", text: `${count(sum(found, "recsys_reloads_total", (labels) => labels.result === "failed"))} failed loads` })),
    memory ? tile("Memory of the workers", `${count(Math.round(memory / 2 ** 20))} MB`, el("p", { class: "small weak", text: "what they share counts for each" })) : null);
  const experiment = found.filter((sample) => sample.name === "recsys_experiment_info").map((sample) => sample.labels);
  fill(tables,
    breakdown("Requests by route", [...by(found.filter((sample) => !OWN.test(sample.labels.route ?? "")), "recsys_requests_total", "route")]), breakdown("Lists by kind", [...by(found, "recsys_lists_total", "kind")]),
    breakdown("Requests by status", [...by(found, "recsys_requests_total", "status")]),
    experiment.length ? breakdown(`Experiment ${experiment[0].experiment}: lists by arm`, [...by(found.filter((sample) => sample.labels.result === "given"), "recsys_experiment_lists_total", "arm")]) : null);
}

const tile = (name, figure, ...more) => el("section", { class: "tile" }, el("h2", { text: name }), el("div", { class: "figure", text: figure }), more);

function breakdown(name, rows) {
  const all = rows.filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a).slice(0, 12);
  return el("section", { class: "panel" }, el("h2", { text: name }), all.length ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name }, el("table", {}, el("tbody", {}, all.map(([what, value]) => el("tr", {}, el("th", { scope: "row", text: what === "-" ? "others" : what }), el("td", { text: count(value) })))))) : el("p", { class: "weak", text: "none so far" }));
}

function spark(values) {
  const most = Math.max(...values, 1e-9), width = 100, height = 30, step = width / (KEPT - 1);
  const line = values.map((value, at) => `${(width - (values.length - 1 - at) * step).toFixed(2)},${(height - 2 - (value / most) * (height - 5)).toFixed(2)}`);
  const first = line[0].split(",")[0];
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("polygon", { class: "spark-area", points: `${first},${height} ${line.join(" ")} ${width},${height}` }), svg("polyline", { class: "spark", points: line.join(" ") }));
}
