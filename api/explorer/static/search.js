// A box that finds items and users while one types. Arrow keys choose, Enter opens, Escape closes.
import { get, learn } from "./api.js";
import { announce, debounced, el, fill, plural, unique } from "./dom.js";

/** `onPick({kind, id, title})` is called with what was chosen. `users`: users are found, too. */
export function searchBox({ label, placeholder, users = false, large = false, onPick, hideLabel = false }) {
  const list = el("ul", { class: "options", role: "listbox", id: unique("options"), "aria-label": label, hidden: true });
  const input = el("input", {
    type: "text", id: unique("search"), role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
    "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list",
  });
  let options = [], chosen = -1, asked = null;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  }
  function pick(at) {
    const option = options[at];
    if (!option) return;
    input.value = "";
    close();
    onPick(option);
  }
  function choose(at) {
    chosen = options.length ? (at + options.length) % options.length : -1;
    [...list.querySelectorAll("[role=option]")].forEach((each, place) => each.setAttribute("aria-selected", String(place === chosen)));
    const active = list.querySelector('[aria-selected="true"]');
    if (active) {
      input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    }
  }
  function show(found, note) {
    options = found;
    fill(list, found.map((option, at) => el("li", { role: "option", id: `${list.id}-${at}`, "aria-selected": "false", on: { mousedown: (event) => { event.preventDefault(); pick(at); } } },
      el("span", { text: option.title ?? option.id }), el("span", { class: "weak small", text: option.hint }))),
    found.length ? null : el("li", { class: "empty", role: "option", "aria-disabled": "true", "aria-selected": "false", text: note }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(0);
    announce(found.length ? `${plural(found.length, "result")}; arrow keys choose` : note);
  }
  async function find() {
    const typed = input.value.trim();
    asked?.abort();
    if (!typed) return close();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const [items, people] = await Promise.all([
        get("/v1/items:find", { text: typed.slice(0, 200), limit: 8 }, { signal }),
        users ? get("/v1/users:find", { text: typed.slice(0, 200), limit: 5 }, { signal }).catch((error) => { if (error.name === "AbortError") throw error; return { users: [], refused: true }; }) : { users: [] },
      ]);
      learn(items.items);
      const found = [
        ...people.users.map((user) => ({ kind: "user", id: user.user_id, hint: `user, ${plural(user.n_items, "item")}` })),
        ...items.items.map((item) => ({ kind: "item", id: item.item_id, title: item.title, hint: item.title ? item.item_id : "item" })),
      ];
      if (users && !people.users.some((user) => user.user_id === typed)) found.push({ kind: "user", id: typed, title: `User “${typed}”`, hint: people.refused ? "open (finding users needs the key)" : "open as a user" });
      show(found, "Nothing has a title or an id like this.");
    } catch (error) {
      if (error.name !== "AbortError") show([], error.message);
    }
  }
  const later = debounced(find, 90);
  input.addEventListener("input", later);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" && !list.hidden) { event.preventDefault(); choose(chosen + 1); }
    else if (event.key === "ArrowUp" && !list.hidden) { event.preventDefault(); choose(chosen - 1); }
    else if (event.key === "Enter" && !list.hidden) { event.preventDefault(); pick(chosen); }
  });
  input.addEventListener("blur", () => setTimeout(close, 150));
  return el("div", { class: `search${large ? " large" : ""}` }, el("label", { for: input.id, class: hideLabel ? "visually-hidden" : "", text: label }), input, list);
}
