// The start: find somebody or something, or take one of the examples.
import { get, learn, overview } from "../api.js";
import { count, duration, el, plural } from "../dom.js";
import { itemLink } from "../lists.js";
import { searchBox } from "../search.js";

export async function show(root) {
  const [seen, model] = await Promise.all([overview(), get("/v1/model")]);
  learn(seen.items);
  const open = ({ kind, id }) => { location.hash = `#/${kind}/${encodeURIComponent(id)}`; };
  root.append(
    el("section", { class: "hero" },
      el("h1", { text: "What is recommended, and why" }),
      el("p", { text: "Pick a customer and see what they are offered next, and which of the things they had speaks for it. Pick an item and see what goes with it." }),
      searchBox({ label: "Find an item by its title, or a user by their id", placeholder: "Start typing …", users: true, large: true, onPick: open }),
    ),
    seen.users.length ? el("section", {}, el("h2", { text: "For example, these users" }),
      el("ul", { class: "chips" }, seen.users.map((id) => el("li", {}, el("a", { class: "chip", href: `#/user/${encodeURIComponent(id)}`, text: id }))))) : null,
    el("div", { class: "facts" },
      fact(count(seen.n_items), "items"), fact(count(seen.n_users), "users with a history"),
      fact(duration(model.age_seconds), "since the model was made"),
      model.newest_event ? fact(model.newest_event.slice(0, 10), "is when its log ends") : ""),
    el("section", {}, el("h2", { text: "Popular items" }),
      el("ul", { class: "cards" }, seen.items.map((item) => el("li", {}, popular(item))))),
  );
}

const fact = (figure, what) => el("div", { class: "fact" }, el("b", { text: figure }), el("span", { text: what }));

function popular(item) {
  const link = itemLink(item.item_id, "");
  link.append(el("b", { text: item.title ?? item.item_id }), el("span", { class: "small weak", text: plural(item.n_users, "user") }));
  return link;
}
