// Rows of lists: title, what is known of the item, how strongly it is recommended, and why.
import { learn } from "./api.js";
import { el, percent, plural, svg } from "./dom.js";
import { add } from "./basket.js";

export const itemLink = (id, title) => el("a", { href: `#/item/${encodeURIComponent(id)}`, text: title ?? id });
export const userLink = (id) => el("a", { href: `#/user/${encodeURIComponent(id)}`, text: id });

/** Attributes of an item in one line. */
export function described(attributes) {
  return Object.values(attributes ?? {}).map((value) => (Array.isArray(value) ? value.join(", ") : String(value))).filter((value) => value.length < 80).slice(0, 3).join(" · ");
}

/** Attributes worth a line under a title: the first three texts, lists and numbers of the catalogue. */
export const fieldsOf = (overview) => overview.attributes.slice(0, 3).map((attribute) => attribute.name);

export function strength(share, label) {
  const width = Math.max(0, Math.min(1, share));
  return el("div", { class: "strength", role: "img", "aria-label": label },
    svg("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "bar-fill", width: 100 * width, height: 4 })));
}

/** The share that every reason, and everything else, has in a score. */
export function shares(item) {
  const reasons = (item.reasons ?? []).filter((reason) => reason.contribution > 0);
  const whole = reasons.reduce((sum, reason) => sum + reason.contribution, 0) + Math.max(0, item.rest ?? 0);
  const told = reasons.map((reason) => ({ ...reason, share: whole > 0 ? reason.contribution / whole : 0 }));
  return told.filter((reason, at) => at === 0 || reason.share >= 0.01);
}

/** Why an item is listed, as buttons; `onPoint(id, isOn)` lights its row of the history, `onOpen(id)` goes there. */
export function because(item, { onPoint = () => {}, onOpen = () => {} } = {}) {
  const reasons = shares(item);
  learn(item.reasons);
  const likes = item.like ?? [];
  if (!reasons.length && !likes.length) return null;
  return el("div", {},
    reasons.length ? el("ul", { class: "reasons" }, el("li", { class: "weak", text: "Because of" }), reasons.map((reason) => el("li", {}, el("button", {
      class: "reason", type: "button",
      "aria-label": `${reason.title ?? reason.item_id}, ${percent(reason.share)} of the reason: show it in the history`,
      on: {
        mouseenter: () => onPoint(reason.item_id, true), mouseleave: () => onPoint(reason.item_id, false),
        focus: () => onPoint(reason.item_id, true), blur: () => onPoint(reason.item_id, false),
        click: () => onOpen(reason.item_id),
      },
    }, el("span", { text: reason.title ?? reason.item_id }), el("small", { text: percent(reason.share) }))))) : null,
    likes.length ? el("p", { class: "small weak" }, "Nobody has had it yet. It is like ", likes.flatMap((like, at) => [at ? " and " : "", itemLink(like.item_id, like.title), like.by?.length ? ` (same ${like.by.join(", ")})` : ""]), ".") : null);
}

/** How a place changed: `before` is the rank in the list before, undefined if it was not there, null if unknown. */
export function moved(rank, before) {
  if (before === null) return null;
  if (before === undefined) return el("span", { class: "badge up", text: "came in" });
  if (before === rank) return null;
  const up = before > rank;
  return el("span", { class: `badge ${up ? "up" : "down"}`, "aria-label": `${up ? "up" : "down"} ${Math.abs(before - rank)}`, text: `${up ? "▲" : "▼"} ${Math.abs(before - rank)}` });
}

/** A list of items. `before`: ranks by id in the list before; `more`: what stands under a row. */
export function itemList(items, { before = null, more = () => null, actions = true, withStrength = true } = {}) {
  learn(items);
  const top = Math.max(...items.map((item) => item.score ?? 0), 0);
  return el("ol", { class: "list" }, items.map((item) => el("li", { "data-item": item.item_id },
    el("span", { class: "rank", text: item.rank }),
    el("div", {},
      el("div", { class: "row-title" }, itemLink(item.item_id, item.title), " ", item.new ? el("span", { class: "badge new", text: "new" }) : null, " ", before ? moved(item.rank, before.get(item.item_id)) : null),
      described(item.attributes) ? el("div", { class: "small weak", text: described(item.attributes) }) : null,
      withStrength && top > 0 && item.score !== undefined ? strength(item.score / top, `strength ${percent(item.score / top)} of the first`) : null,
      more(item),
      actions ? rowActions(item) : null))));
}

function rowActions(item) {
  const action = (text, list, title) => el("button", { class: "quiet", type: "button", text, "aria-label": `${title}: ${item.title ?? item.item_id}`, on: { click: () => add(list, item.item_id) } });
  return el("div", { class: "actions" }, action("+ basket", "basket", "Put into the basket"), action("more like this", "more", "More like this"), action("less like this", "less", "Less like this"));
}

export const notes = (warnings) => (warnings?.length ? el("div", { class: "note" }, warnings.map((warning) => el("p", { text: `${warning[0].toUpperCase()}${warning.slice(1)}.` }))) : null);
export { plural };
