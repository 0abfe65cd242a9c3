// The playground: put items into a basket, or into "more" and "less like this", set conditions, watch the list change.
import { curl, learnTitles, overview, post, titleOf } from "../api.js";
import { add, empty, keep, state, take } from "../basket.js";
import { announce, debounced, el, fill, percent, plural, unique } from "../dom.js";
import { because, fieldsOf, itemList, notes } from "../lists.js";
import { searchBox } from "../search.js";

export async function show(root) {
  const seen = await overview();
  const fields = fieldsOf(seen);
  const now = state();
  await learnTitles([...now.basket, ...now.more, ...now.less, ...Object.keys(now.boosts)]);
  const results = el("section", { class: "panel second", "aria-label": "The list that follows" });
  const form = el("form", { class: "panel", "aria-label": "What is asked for", on: { submit: (event) => event.preventDefault() } });
  let before = null, mode = now.mode, turn = 0;

  async function ask() {
    const asked = ++turn;
    const { path, body } = question(state(), fields);
    if (body === null) return fill(results, el("h2", { text: "The list" }), el("p", { class: "weak", text: "Put an item into “More like this” first: search for it on this page, or use the buttons under any item." }));
    try {
      const list = await post(path, body);
      if (asked !== turn) return;
      if (mode !== state().mode) before = null;
      mode = state().mode;
      fill(results, el("h2", { text: heading(list) }), notes(list.warnings), itemList(list.items, { before, more: (item) => because(item) }), terminal(path, body));
      before = new Map(list.items.map((item) => [item.item_id, item.rank]));
      filterError(form, null);
      announce(`The list has ${plural(list.items.length, "item")}`);
    } catch (error) {
      if (asked !== turn) return;
      filterError(form, /filter/.test(error.message) ? error.message : null);
      fill(results, el("h2", { text: "The list" }), el("div", { class: "note bad", role: "alert" }, el("p", { text: error.message })), terminal(path, body));
    }
  }
  const later = debounced(ask, 150);
  const redraw = () => { draw(form, seen, later); later(); };
  addEventListener("basket", redraw);
  draw(form, seen, later);
  root.append(el("h1", { text: "Try out" }), el("p", { class: "weak", text: "Change something on the left, and the list on the right follows. Arrows show what moved. Nothing here is counted as shown to anybody." }),
    el("div", { class: "pair" }, form, results));
  await ask();
  return () => removeEventListener("basket", redraw);
}

const heading = (list) => (list.user?.status === "fallback" ? "Popular items (nothing is known so far)" : list.positive ? "Items like these" : "Recommended");

/** The request that the form stands for; a body of null if it is not complete. */
function question(now, fields) {
  const plain = { k: now.k, ...(now.filter.trim() ? { filter: now.filter.trim() } : {}), fields };
  if (now.mode === "similar") {
    const body = { positive: now.more, ...(now.less.length ? { negative: now.less } : {}), ...plain, ...(now.by === "behaviour" ? {} : { by: now.by }) };
    return { path: "/v1/items:similar", body: now.more.length ? body : null };
  }
  return { path: "/v1/recommendations", body: {
    ...(now.user.trim() ? { user_id: now.user.trim() } : {}),
    ...(now.basket.length ? { events: now.basket.map((item_id) => ({ item_id })) } : {}),
    ...plain,
    ...(Object.keys(now.boosts).length ? { boosts: now.boosts } : {}),
    ...(now.diversity ? { diversity: now.diversity } : {}),
    ...(now.new_share === null ? {} : { new_share: now.new_share }),
    explain: true,
  } };
}

function terminal(path, body) {
  const text = curl(path, { body });
  const copy = el("button", { type: "button", text: "Copy", on: { click: async () => { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; announce("Copied"); } } });
  return el("details", { open: true }, el("summary", { text: "The same for a terminal" }), el("pre", { class: "curl", text }), copy);
}

function filterError(form, message) {
  const place = form.querySelector(".filter-error");
  if (!place) return;
  place.textContent = message ?? "";
  place.hidden = !message;
  const input = form.querySelector(".filter");
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** Draws the form again only if what stands in it changes by more than a value, so that focus stays. */
function draw(form, seen, later) {
  const now = state();
  const shape = JSON.stringify([now.mode, now.basket, now.more, now.less, now.boosts, now.by]);
  if (form.dataset.shape === shape) return;
  const focused = document.activeElement?.id;
  form.dataset.shape = shape;
  const set = (changes) => { keep(changes); later(); };
  const radio = (value, text) => el("label", {}, el("input", { type: "radio", name: "mode", id: `mode-${value}`, value, checked: now.mode === value, on: { change: () => set({ mode: value }) } }), text);
  fill(form,
    el("fieldset", {}, el("legend", { text: "What is wanted" }), el("div", { class: "choices" }, radio("list", "a list for somebody"), radio("similar", "more like this, less like that"))),
    ...(now.mode === "list" ? forSomebody(now, seen, set) : alike(now, seen, set)),
    filter(now, seen, set),
    el("div", { class: "field" }, el("label", { for: "k", text: "Length of the list" }), el("select", { id: "k", on: { change: (event) => set({ k: Number(event.target.value) }) } }, [5, 10, 20, 50].map((k) => el("option", { value: k, text: k, selected: k === now.k })))),
    el("button", { type: "button", text: "Begin anew", on: { click: () => { empty(); form.dataset.shape = ""; draw(form, seen, later); later(); } } }));
  if (focused) document.getElementById(focused)?.focus();
}

function forSomebody(now, seen, set) {
  return [
    el("div", { class: "field" }, el("label", { for: "user", text: "User" }),
      el("input", { type: "text", id: "user", value: now.user, placeholder: "nobody known: a visitor", autocomplete: "off", spellcheck: "false", on: { input: debounced((event) => set({ user: event.target.value }), 250) } }),
      el("span", { class: "hint", text: "Leave it empty for a visitor, of whom only the basket is known." })),
    bag("basket", "Basket", "What they just looked at or bought.", now, set),
    boosts(now, set),
    slider("diversity", "Variety", "More to the right: items that are unlike each other.", now.diversity, (value) => set({ diversity: value })),
    slider("new_share", "Share of new items", "Places kept for items that nobody has had yet.", now.new_share ?? 0, (value) => set({ new_share: value })),
  ];
}

function alike(now, seen, set) {
  const option = (value, text) => el("option", { value, text, selected: now.by === value });
  return [
    bag("more", "More like this", "", now, set), bag("less", "Less like this", "", now, set),
    seen.has_content ? el("div", { class: "field" }, el("label", { for: "by", text: "Alike by" }), el("select", { id: "by", on: { change: (event) => set({ by: event.target.value }) } }, option("behaviour", "who chose them"), option("content", "what they are"), option("both", "both"))) : null,
  ];
}

function bag(list, name, hint, now, set) {
  return el("div", { class: "field", role: "group", "aria-label": name },
    searchBox({ label: name, placeholder: "Find an item to put in …", onPick: ({ id }) => { add(list, id); } }),
    hint ? el("span", { class: "hint", text: hint }) : null,
    now[list].length ? el("ul", { class: "chips" }, now[list].map((id) => el("li", { class: "chip" }, titleOf(id), el("button", { type: "button", "aria-label": `Take out ${titleOf(id)}`, text: "×", on: { click: () => take(list, id) } })))) : null);
}

const FACTORS = [[0.2, "five times weaker"], [0.5, "half as strong"], [2, "twice as strong"], [5, "five times stronger"]];
function boosts(now, set) {
  return el("div", { class: "field", role: "group", "aria-label": "Pushed items" },
    searchBox({ label: "Push an item up or down", placeholder: "Find an item …", onPick: ({ id }) => set({ boosts: { ...now.boosts, [id]: 2 } }) }),
    Object.entries(now.boosts).map(([id, factor]) => el("div", { class: "row" },
      el("label", { class: "small", for: `boost-${id}`, text: titleOf(id) }),
      el("select", { id: `boost-${id}`, on: { change: (event) => set({ boosts: { ...state().boosts, [id]: Number(event.target.value) } }) } }, FACTORS.map(([value, text]) => el("option", { value, text, selected: value === factor }))),
      el("button", { type: "button", class: "quiet", text: "remove", "aria-label": `No longer push ${titleOf(id)}`, on: { click: () => { const left = { ...state().boosts }; delete left[id]; set({ boosts: left }); } } }))));
}

function slider(name, label, hint, value, change) {
  const id = unique(name), shown = el("output", { for: id, text: percent(value) });
  return el("div", { class: "field" }, el("label", { for: id }, `${label} `, shown),
    el("input", { type: "range", id, min: 0, max: 1, step: 0.1, value, on: { input: (event) => { shown.textContent = percent(event.target.value); change(Number(event.target.value)); } } }),
    el("span", { class: "hint", text: hint }));
}

const quoted = (text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const spelt = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : `\`${name.replaceAll("`", "``")}\``);

/** Conditions to begin with, from the attributes that there are. */
function examples(seen) {
  return seen.attributes.filter((attribute) => attribute.examples.length).slice(0, 4).map(({ name, kind, examples: [value] }) => {
    if (kind === "number") return `${spelt(name)} <= ${value.split(" to ").at(-1)}`;
    if (kind === "date") return `${spelt(name)} >= ${quoted(value.split(" to ")[0])}`;
    if (kind === "boolean") return `${spelt(name)} = true`;
    return `${spelt(name)} = ${quoted(value)}`;
  });
}

function filter(now, seen, set) {
  const input = el("input", { type: "text", id: "filter", class: "filter", value: now.filter, autocomplete: "off", spellcheck: "false", "aria-describedby": "filter-error filter-hint", on: { input: debounced(() => set({ filter: input.value }), 300) } });
  const use = (text) => () => { input.value = input.value.trim() ? `${input.value.trim()} and ${text}` : text; set({ filter: input.value }); };
  return el("div", { class: "field" }, el("label", { for: "filter", text: "Only items for which" }), input,
    el("span", { class: "filter-error note bad small", id: "filter-error", role: "alert", hidden: true }),
    el("span", { class: "hint", id: "filter-hint", text: "A condition on what is known of items. Combine them with and, or, not." }),
    el("ul", { class: "chips" }, examples(seen).map((text) => el("li", {}, el("button", { type: "button", class: "chip", text, on: { click: use(text) } })))));
}
