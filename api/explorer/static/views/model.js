// The model's card: how old, from which data, how good beside simpler ones, what the gates said, how exact its search is.
import { address, get, hasOperators, key, text } from "../api.js";
import { count, duration, el, fill, percent, plural, svg } from "../dom.js";
import { one, samples } from "../metrics.js";

const MEANING = {
  hit_rate: "share of people who find something they later took among the first {k}", recall: "share of what people later took that is among the first {k}",
  ndcg: "as recall, and the higher in the list, the better (0 to 1)", precision: "share of the first {k} that people later took", map: "how early what they took comes, over all of it",
  mrr: "how early the first thing they took comes", coverage: "share of the catalogue that is recommended to anybody", novelty: "how little known the items are", diversity: "how unlike each other the items of a list are",
};
const NAMES = { popular: "most popular", item_knn: "item k-NN", ease: "EASE", rp3beta: "RP3beta" };

export async function show(root) {
  const [model, card, live] = await Promise.all([get("/v1/model"), get("/v1/explorer/card"), samples().catch(() => null)]);
  const told = card.outcome;
  root.append(
    el("h1", { text: "The model that serves" }),
    told ? el("div", { class: `note ${told.light === "good" ? "good" : told.light === "bad" ? "bad" : ""}` }, el("p", {}, el("b", { text: told.verdict?.text ?? "" })), el("p", { text: told.headline ?? "" }), (told.statements ?? []).map((statement) => el("p", { text: statement.text }))) : null,
    el("div", { class: "facts" },
      fact(duration(model.age_seconds), `old; made ${model.created_at.slice(0, 16).replace("T", " ")} UTC`), model.newest_event ? fact(model.newest_event.slice(0, 10), "is when its log ends") : "",
      fact(count(model.counts.users ?? 0), "users learned from"), fact(count(model.counts.items ?? 0), "items"), fact(count(model.counts.entries ?? 0), "pairs of user and item")),
    el("div", { class: "even" }, quality(card, model), el("div", {}, gates(card), index(model, live))),
    el("details", { class: "panel" }, el("summary", { text: "Settings it was made with" }), el("pre", { text: JSON.stringify(model.config, null, 2) })),
    el("p", { class: "small weak", text: `Version ${model.model_version}` }),
  );
}

const fact = (figure, what) => el("div", { class: "fact" }, el("b", { text: figure }), el("span", { text: what }));

function quality(card, model) {
  if (!card.models) return el("section", { class: "panel" }, el("h2", { text: "Quality" }), el("p", { class: "weak", text: "This version was sealed without an evaluation report." }), table(model.metrics));
  const metrics = Object.keys(Object.values(card.models)[0]), chosen = metrics.includes("hit_rate@20") ? "hit_rate@20" : card.metric;
  const chart = el("div"), hint = el("p", { class: "small weak" });
  const draw = (metric) => {
    const [name, k] = metric.split("@");
    hint.textContent = `${(MEANING[name] ?? "see docs/metrics.md").replace("{k}", k)}. Lines: ${percent(card.intervals?.confidence ?? 0.95)} intervals.`;
    fill(chart, bars(card, metric));
  };
  const select = el("select", { id: "metric", on: { change: (event) => draw(event.target.value) } }, metrics.map((metric) => el("option", { value: metric, text: metric === card.metric ? `${metric} (the gates use it)` : metric, selected: metric === chosen })));
  draw(chosen);
  return el("section", { class: "panel" }, el("h2", { text: "How good, beside simpler ways" }),
    el("p", { class: "small", text: `Measured on ${plural(card.n_users, "user")} whose last weeks were hidden from it.` }),
    el("div", { class: "field" }, el("label", { for: "metric", text: "Measure" }), select), hint, chart,
    report());
}

/** A link if it needs no key; else a button, because a link sends none. */
function report() {
  const path = "/v1/explorer/report", name = "The whole evaluation report";
  if (!hasOperators()) return el("p", {}, el("a", { class: "button", href: address(path).href, target: "_blank", rel: "noopener", text: name }));
  if (!key()) return el("p", { class: "small weak", text: `${name} needs the key.` });
  const said = el("p", { class: "small", role: "status" });
  return el("div", {}, el("button", { type: "button", text: `${name}, as a file`, on: { click: download } }), said);
  async function download() {
    try {
      const url = URL.createObjectURL(new Blob([await text(path)], { type: "text/html" }));
      el("a", { href: url, download: "report.html" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      said.textContent = error.message;
    }
  }
}

function bars(card, metric) {
  const rows = Object.entries(card.models).map(([name, values]) => ({ name, ...values[metric] })).filter((row) => Number.isFinite(row.mean));
  const most = Math.max(...rows.map((row) => row.high ?? row.mean), 1e-9), narrow = innerWidth < 700, width = narrow ? 330 : 520, left = narrow ? 92 : 110, step = 34, height = rows.length * step + 6;
  const at = (value) => left + (Math.max(0, value) / most) * (width - left - 64);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": rows.map((row) => `${row.name}: ${row.mean.toFixed(3)}`).join(", "), width: "100%" },
    rows.flatMap((row, place) => {
      const y = place * step + 6, isModel = row.name === card.model || place === 0;
      return [
        svg("text", { x: left - 8, y: y + 16, "text-anchor": "end", text: NAMES[row.name] ?? row.name, "font-weight": isModel ? 600 : 400 }),
        svg("rect", { class: isModel ? "model" : "baseline", x: left, y, width: Math.max(1, at(row.mean) - left), height: 22, rx: 2 }),
        row.low === undefined || row.low === null ? svg("g") : svg("path", { class: "whisker", d: `M${at(row.low)} ${y + 11}H${at(row.high)}M${at(row.low)} ${y + 6}v10M${at(row.high)} ${y + 6}v10` }),
        svg("text", { x: at(row.high ?? row.mean) + 6, y: y + 16, text: row.mean.toFixed(3) }),
      ];
    }));
}

const table = (metrics) => el("div", { class: "scroll" }, el("table", {}, el("tbody", {}, Object.entries(metrics).map(([name, value]) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: typeof value === "number" ? value.toFixed(4) : "–" }))))));

function gates(card) {
  if (!card.gates?.length) return null;
  return el("section", { class: "panel" }, el("h2", { text: "Checks before it was published" }),
    el("ul", { class: "gates" }, card.gates.map((gate) => el("li", { class: gate.passed ? "" : "failed" }, el("b", { text: gate.name.replaceAll("_", " ") }), gate.accepted ? " (accepted on purpose)" : "", el("div", { class: "small weak", text: gate.detail })))));
}

function index(model, live) {
  const measured = Object.entries(model.index).filter(([name]) => name.startsWith("recall@"));
  const now = (kind) => (live ? one(live, "recsys_recall", (labels) => labels.kind === kind) : undefined);
  const shown = (value) => (value === undefined ? "not checked yet" : `${(100 * value).toFixed(2)} %`);
  return el("section", { class: "panel" }, el("h2", { text: "Search" }),
    el("p", { class: "small", text: model.index.kind === "exact" ? "Every item is compared, so nothing is missed." : "Not every item is compared; of those that belong into a list, this share is found." }),
    el("dl", { class: "about" }, el("dt", { text: "kind" }), el("dd", { text: model.index.kind ?? "–" }),
      measured.flatMap(([name, value]) => [el("dt", { text: `${name}, when it was made` }), el("dd", { text: shown(value) })]),
      el("dt", { text: "recommendations, live" }), el("dd", { text: shown(now("recommendations")) }), el("dt", { text: "similar items, live" }), el("dd", { text: shown(now("similar_items")) })));
}
