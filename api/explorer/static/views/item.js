// An item: what is known of it, what the same people chose, and what is alike by content.
import { get, learn, overview, part, curl } from "../api.js";
import { el, plural } from "../dom.js";
import { fieldsOf, itemList, notes } from "../lists.js";
import { add } from "../basket.js";

export async function show(root, { id }) {
  const seen = await overview();
  const fields = fieldsOf(seen).join(",");
  const path = `/v1/items/${part(id)}/similar`;
  const none = (error) => { if (["no_content"].includes(error.code)) return null; throw error; };
  const [item, behaviour, content] = await Promise.all([
    get(`/v1/items/${part(id)}`), get(path, { k: 12, fields }), seen.has_content ? get(path, { k: 12, fields, by: "content" }).catch(none) : null,
  ]);
  learn([item]);
  document.title = `${item.title ?? id} – recsys explorer`;
  const put = (list) => ({ click: () => { add(list, id); location.hash = "#/try"; } });
  root.append(
    el("h1", { text: item.title ?? id }),
    el("p", { class: "weak" }, `Item ${id}. `, item.new ? "New: nobody has had it yet, so its place comes from what is known of it." : `${plural(item.n_users, "user")} had it.`, item.has_vector ? "" : " Too little is known of it, so it is never recommended."),
    Object.keys(item.attributes).length ? el("dl", { class: "about" }, Object.entries(item.attributes).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: Array.isArray(value) ? value.join(", ") : String(value) })])) : null,
    el("p", { class: "row" },
      el("button", { type: "button", class: "primary", text: "More like this", on: put("more") }),
      el("button", { type: "button", text: "Less like this", on: put("less") }),
      el("button", { type: "button", text: "Put into the basket", on: put("basket") }),
      seen.has_map ? el("a", { class: "button", href: `#/map?item=${encodeURIComponent(id)}`, text: "Show on the map" }) : null),
    el("div", { class: "even" },
      el("section", { class: "panel" }, el("h2", { text: "Chosen by the same people" }),
        el("p", { class: "small weak", text: "By behaviour: whoever had the one often had the other." }), notes(behaviour.warnings), itemList(behaviour.items)),
      content ? el("section", { class: "panel" }, el("h2", { text: "Alike in themselves" }),
        el("p", { class: "small weak", text: "By content: titles and attributes are alike, whoever had them." }), notes(content.warnings), itemList(content.items))
        : el("section", { class: "panel" }, el("h2", { text: "Alike in themselves" }), el("p", { class: "weak", text: "This version was made without content, so items are compared by behaviour only." }))),
    el("details", {}, el("summary", { text: "The same for a terminal" }), el("pre", { text: curl(path, { query: { k: 12, fields } }) })),
  );
}
