// Versions: which there are, what moves between two of them for one user, and the way back.
import { address, command, get, hasOperators, key, overview, part } from "../api.js";
import { announce, el, fill, plural } from "../dom.js";
import { itemList, notes, userLink } from "../lists.js";

export async function show(root, { query, again }) {
  const [stored, seen] = await Promise.all([get("/v1/explorer/versions"), overview()]);
  const sound = stored.versions.filter((version) => !version.is_damaged);
  const names = new Map(sound.map((version) => [version.version, `${version.created_at.slice(0, 16).replace("T", " ")} · ${version.version.slice(0, 8)}${version.version === stored.serving ? " · serves" : ""}`]));
  const option = (chosen) => [...names].map(([value, text]) => el("option", { value, text, selected: value === chosen }));
  const earlier = sound.find((version) => version.version !== stored.serving)?.version ?? stored.serving;
  const one = el("select", { id: "one" }, option(earlier)), other = el("select", { id: "other" }, option(stored.serving));
  const user = el("input", { type: "text", id: "who", value: query.get("user") ?? seen.users[0] ?? "", autocomplete: "off", spellcheck: "false" });
  const result = el("div", { class: "even", "aria-live": "polite" });
  const button = el("button", { type: "submit", class: "primary", text: "Compare" });

  async function compare() {
    if (!user.value.trim()) return;
    button.disabled = true;
    fill(result, el("p", { class: "loading", text: "Loading the other version; that can take a while …" }));
    try {
      const [left, right] = [await of(one.value, user.value.trim()), await of(other.value, user.value.trim())];
      const ranks = (list) => new Map(list.items.map((item) => [item.item_id, item.rank]));
      const before = ranks(left), after = ranks(right), gone = left.items.filter((item) => !after.has(item.item_id));
      fill(result,
        el("section", { class: "panel" }, el("h2", { text: names.get(one.value) }), notes(left.warnings), itemList(left.items, { actions: false, withStrength: false, more: (item) => (after.has(item.item_id) ? null : el("span", { class: "badge down", text: "dropped out" })) })),
        el("section", { class: "panel" }, el("h2", { text: names.get(other.value) }), notes(right.warnings), itemList(right.items, { before, actions: false, withStrength: false })));
      const kept = right.items.length - right.items.filter((item) => !before.has(item.item_id)).length;
      fill(summary, el("p", {}, "For ", userLink(user.value.trim()), `: ${kept} of ${plural(right.items.length, "item")} are in both lists, ${gone.length} dropped out.`));
      announce(summary.textContent);
    } catch (error) {
      fill(result, el("div", { class: "note bad", role: "alert" }, el("p", { text: error.message })));
    } finally {
      button.disabled = false;
    }
  }
  const summary = el("div");
  root.append(
    el("h1", { text: "Versions" }),
    el("p", { class: "weak", text: "Each night makes a version. One serves; the others stay, to be compared with, and to go back to." }),
    versions(stored, again),
    el("section", { class: "panel" }, el("h2", { text: "Side by side" }),
      el("form", { class: "row", on: { submit: (event) => { event.preventDefault(); compare(); } } },
        el("div", { class: "field" }, el("label", { for: "who", text: "User" }), user),
        el("div", { class: "field" }, el("label", { for: "one", text: "From" }), one),
        el("div", { class: "field" }, el("label", { for: "other", text: "To" }), other), button), summary),
    el("div", { class: "panel-gap" }, result),
  );
  if (sound.length > 1 && query.get("user")) await compare();
}

const of = (version, user) => get(`/v1/explorer/versions/${part(version)}/list`, { user_id: user, k: 15 });

function versions(stored, again) {
  const metric = ["ndcg@20", "recall@20"].find((name) => stored.versions.some((version) => version.metrics?.[name] !== undefined)) ?? Object.keys(stored.versions[0]?.metrics ?? {})[0];
  const row = (version) => el("tr", {},
    el("td", {}, el("code", { text: version.version }), " ", version.version === stored.serving ? el("span", { class: "badge new", text: "serves" }) : "", version.version === stored.held ? el("span", { class: "badge", text: "held" }) : ""),
    version.is_damaged ? el("td", { colspan: 4, text: "damaged" }) : [
      el("td", { text: version.created_at.slice(0, 16).replace("T", " ") }), el("td", { text: version.metrics[metric]?.toFixed?.(4) ?? "–" }), el("td", { text: version.counts.users ?? "–" }),
      el("td", {}, version.version === stored.serving ? "" : back(version.version, again))]);
  return el("section", { class: "panel" }, el("h2", { text: plural(stored.versions.length, "version") }),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Versions" }, el("table", { class: "plain versions" }, el("thead", {}, el("tr", {}, ["version", "made (UTC)", metric ?? "", "users", ""].map((text) => (text ? el("th", { scope: "col", text }) : el("td"))))), el("tbody", {}, stored.versions.map(row)))),
    hasOperators() ? null : el("p", { class: "small weak", text: "Going back from here needs a service with an admin key; `recsys rollback` works without." }));
}

function back(version, again) {
  if (!hasOperators()) return "";
  const dialog = el("dialog", { "aria-label": "Go back" }, el("h2", { text: `Let ${version} serve?` }), el("p", { text: "Everybody gets its lists within seconds. The version that serves now stays in the store." }),
    el("div", { class: "row" }, el("button", { type: "button", class: "danger", text: "Let it serve", on: { click: go } }), el("button", { type: "button", text: "Cancel", on: { click: () => dialog.close() } })));
  async function go() {
    try {
      await command("/admin/rollback", { version });
      dialog.close();
      announce(`${version} serves`);
      again();
    } catch (error) {
      fill(dialog, el("div", { class: "note bad", role: "alert" }, el("p", { text: error.message })), el("button", { type: "button", text: "Close", on: { click: () => dialog.close() } }));
    }
  }
  return [el("button", { type: "button", text: "Let it serve …", on: { click: () => { if (key()) dialog.showModal(); else document.dispatchEvent(new Event("ask-for-key")); } } }), dialog];
}
