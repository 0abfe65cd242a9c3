// A user: what they had, beside what they are recommended; every reason points back.
import { get, learn, overview, part, post, curl } from "../api.js";
import { count, el, fill, percent, plural } from "../dom.js";
import { because, described, fieldsOf, itemLink, itemList, notes, shares, strength } from "../lists.js";
import { keep } from "../basket.js";

const STATUS = {
  known: "The model was trained on this user’s history.",
  folded_in: "The model was not trained on this user; the list comes from the stored history.",
  fallback: "Nothing is known of this user, so these are the most popular items.",
};

export async function show(root, { id }) {
  const fields = fieldsOf(await overview());
  const body = { user_id: id, k: 12, explain: true, fields };
  const [history, list] = await Promise.all([get(`/v1/users/${part(id)}/history`, { limit: 200 }).catch((error) => { if (error.code === "unknown_user") return { items: [] }; throw error; }), post("/v1/recommendations", body)]);
  learn(history.items);
  const attributes = await attributesOf(history.items.slice(0, 200), fields);
  const rows = new Map();
  const light = (item, isOn) => rows.get(item)?.classList.toggle("lit", isOn);
  const open = (item) => {
    const row = rows.get(item);
    row?.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    row?.querySelector("a")?.focus({ preventScroll: true });
  };
  const past = el("ol", { class: "list", id: "history" }, history.items.map((item, at) => {
    const row = el("li", { "data-item": item.item_id }, el("span", { class: "rank", text: at + 1 }), el("div", {},
      el("div", { class: "row-title" }, itemLink(item.item_id, item.title)),
      el("div", { class: "small weak", text: described(attributes.get(item.item_id)) }),
      strength(item.score / history.items[0].score, `counts ${percent(item.score / history.items[0].score)} of the first`)));
    rows.set(item.item_id, row);
    return row;
  }));
  const recommended = itemList(list.items, { more: (item) => because(item, { onPoint: light, onOpen: open }), actions: false });
  for (const row of recommended.children) {
    const reasons = (list.items.find((item) => item.item_id === row.dataset.item)?.reasons ?? []).map((reason) => reason.item_id);
    row.addEventListener("mouseenter", () => reasons.forEach((item) => light(item, true)));
    row.addEventListener("mouseleave", () => reasons.forEach((item) => light(item, false)));
  }
  root.append(
    el("h1", { text: `User ${id}` }),
    el("p", { class: "weak", text: STATUS[list.user.status] }),
    summary(list),
    el("p", { class: "row" },
      el("a", { class: "button", href: "#/try", text: "Try out changes", on: { click: () => keep({ user: id, mode: "list" }) } }),
      el("a", { class: "button", href: `#/map?user=${encodeURIComponent(id)}`, text: "Show on the map" }),
      el("a", { class: "button", href: `#/versions?user=${encodeURIComponent(id)}`, text: "Compare versions" })),
    el("div", { class: "pair" },
      el("section", { class: "panel stays", "aria-labelledby": "past" },
        el("h2", { id: "past", text: history.items.length ? `What this user had (${count(history.items.length)}${history.items.length === 200 ? " or more" : ""})` : "No history" }),
        history.items.length ? el("p", { class: "small weak", text: "What counts most comes first: often, lately, or both." }) : el("p", { class: "small weak", text: "The version knows nothing of this user." }), past),
      el("section", { class: "panel second", "aria-labelledby": "next" },
        el("h2", { id: "next", text: list.user.status === "fallback" ? "Popular items" : "Recommended next" }),
        list.user.status === "fallback" ? null : el("p", { class: "small weak", text: "The yellow reasons are items of the history. Point at one, and it lights up there; the percentage says how much of the recommendation comes from it." }),
        notes(list.warnings), recommended)),
    el("details", {}, el("summary", { text: "The same for a terminal" }), el("pre", { text: curl("/v1/recommendations", { body }) })),
  );
}

/** One sentence about the first place, as one would say it. */
function summary(list) {
  const first = list.items[0];
  const reasons = first ? shares(first) : [];
  if (!reasons.length) return null;
  const strongest = reasons[0];
  return el("div", { class: "note good" }, el("p", {}, "Why ", el("b", { text: first.title ?? first.item_id }), "? Most of all because this user had ", el("b", { text: strongest.title ?? strongest.item_id }), reasons[1] ? [" and ", el("b", { text: reasons[1].title ?? reasons[1].item_id })] : "", ". People who had the one often had the other."));
}

async function attributesOf(items, fields) {
  if (!items.length || !fields.length) return new Map();
  const told = await post("/v1/items:batch", { item_ids: items.map((item) => item.item_id) });
  return new Map(told.items.map((item) => [item.item_id, Object.fromEntries(fields.map((name) => [name, item.attributes[name]]).filter(([, value]) => value !== undefined))]));
}
