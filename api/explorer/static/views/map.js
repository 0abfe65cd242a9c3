// The map: every item is a point, near those that the same people chose. Zoom, drag, point, click.
import { binary, get, learn, overview, part, post } from "../api.js";
import { announce, count, debounced, el, fill, plural, svg } from "../dom.js";
import { PointMap } from "../point_map.js";
import { itemLink } from "../lists.js";
import { searchBox } from "../search.js";

export async function show(root, { query }) {
  const seen = await overview();
  if (!seen.has_map) return void root.append(el("h1", { text: "Map" }), el("p", { text: "This version has no map of its items; publish.map makes one." }));
  const points = el("canvas", { class: "points", tabindex: 0, role: "application", "aria-label": "Map of the items. Arrow keys move it, plus and minus zoom, Enter opens the item in the middle." });
  const top = el("canvas", { class: "top", "aria-hidden": "true" });
  const button = (text, label, call) => el("button", { type: "button", text, "aria-label": label, title: label, on: { click: call } });
  const legend = el("ul", { class: "legend" }), inView = el("ol", { class: "list", "aria-label": "Items in view" });
  const colour = el("select", { id: "colour" }), said = el("p", { class: "small weak" });
  const map = new PointMap(points, top);
  const names = new Map();
  const box = el("div", { class: "map-box" }, points, top, el("div", { class: "map-buttons" }, button("−", "Zoom out", () => map.zoomBy(1 / 1.6)), button("+", "Zoom in", () => map.zoomBy(1.6)), button("⤢", "Show all", () => map.reset())));

  async function load(by) {
    const { header, users, places, group } = unpacked(await binary("/v1/explorer/map", { by }));
    map.use({ users, places, group });
    fill(colour, header.attributes.map((name) => el("option", { value: name, text: name, selected: name === header.coloured_by })));
    fill(legend, header.groups.map((name, at) => ({ name, at })).filter(({ at }) => group.includes(at)).map(({ name, at }) => el("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("circle", { cx: 5, cy: 5, r: 5, fill: map.colour(at) })), name)));
    said.textContent = `${count(header.n)} items${header.n < header.n_items ? ` of ${count(header.n_items)}, those with the most users` : ""}. Near each other: chosen by the same people. Directions mean nothing.`;
    return header;
  }
  /** Titles of some points, asked for once. */
  async function named(numbers) {
    const missing = numbers.filter((number) => !names.has(number)).slice(0, 200);
    if (missing.length) {
      const { items } = await post("/v1/explorer/places", { numbers: missing });
      learn(items);
      items.forEach((item, at) => names.set(missing[at], item));
    }
    return numbers.map((number) => names.get(number)).filter(Boolean);
  }
  const open = (number) => named([number]).then(([item]) => { if (item) location.hash = `#/item/${encodeURIComponent(item.item_id)}`; });
  const label = async () => {
    const numbers = map.mostProminent(14);
    const items = await named(numbers);
    map.label(numbers.map((number, at) => ({ number, text: items[at] ? items[at].title ?? items[at].item_id : "" })));
    fill(inView, items.slice(0, 10).map((item, at) => el("li", { on: { mouseenter: () => map.point(numbers[at]), mouseleave: () => map.point(-1) } }, el("span", { class: "rank", text: at + 1 }), el("div", {}, itemLink(item.item_id, item.title), el("div", { class: "small weak", text: plural(item.n_users, "user") })))));
  };
  map.onView = debounced(() => label().catch(() => {}), 120);
  map.onOpen = open;
  map.onPoint = async (number) => { const [item] = await named([number]); if (item) map.hint(number, item.title ?? item.item_id, plural(item.n_users, "user")); };
  colour.addEventListener("change", async () => { const header = await load(colour.value); announce(`Coloured by ${header.coloured_by}`); });

  async function go(id) {
    const { numbers: [number] } = await post("/v1/explorer/places", { item_ids: [id] });
    if (number === null) return announce("This item has no place on the map");
    map.goTo(number);
    announce("The item is in the middle of the map");
  }
  async function follow(user) {
    const [history, list] = await Promise.all([get(`/v1/users/${part(user)}/history`, { limit: 60 }).catch(() => ({ items: [] })), post("/v1/recommendations", { user_id: user, k: 10 })]);
    const ids = [...history.items, ...list.items].map((item) => item.item_id);
    const { numbers } = await post("/v1/explorer/places", { item_ids: ids });
    const of = (from, to) => numbers.slice(from, to).filter((number) => number !== null);
    map.path(of(0, history.items.length), of(history.items.length));
    fill(path, el("p", { class: "small" }, el("b", { text: `User ${user}: ` }), `${plural(history.items.length, "item")} of the history, joined from what counts least to what counts most; stars are the recommendations. `, el("button", { class: "quiet", type: "button", text: "Take the path away", on: { click: () => { map.path([], []); fill(path); } } })));
  }
  const path = el("div");
  root.append(el("h1", { text: "Map of the items" }), el("div", { class: "map-page" }, box,
    el("aside", { "aria-label": "About the map" },
      searchBox({ label: "Find on the map", placeholder: "An item, or a user’s path …", users: true, onPick: ({ kind, id }) => (kind === "item" ? go(id) : follow(id)) }),
      path, el("div", { class: "field" }, el("label", { for: "colour", text: "Colour by" }), colour), legend, said,
      el("h2", { text: "Most users, in view" }), inView)));
  await load(query.get("by") ?? undefined);
  requestAnimationFrame(() => {
    map.resize();
    if (query.get("item")) go(query.get("item"));
    if (query.get("user")) follow(query.get("user"));
  });
  points.map = map; // for measurements
  return () => map.close();
}

function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const users = new Uint32Array(buffer, at, header.n);
  at += 4 * header.n;
  const places = new Uint16Array(buffer, at, 2 * header.n);
  at += 4 * header.n;
  return { header, users, places, group: new Uint8Array(buffer, at, header.n) };
}
