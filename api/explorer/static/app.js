// The frame of the explorer: which view is shown, the store, the key, dark or light.
import { hasOperators, key, loadSettings, settings, store, useKey, useStore } from "./api.js";
import { el, fill } from "./dom.js";

const VIEWS = {
  "": ["home", "Find"], user: ["user", "User"], item: ["item", "Item"], try: ["playground", "Try out"],
  map: ["map", "Map"], model: ["model", "Model"], versions: ["versions", "Versions"], live: ["live", "Live"],
};
const main = document.getElementById("main");
let leave = () => {};
let shown = 0;

/** The view that the address names, and the id after it. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name, id: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
}

async function show() {
  if (location.hash && !location.hash.startsWith("#/")) return; // a link within the page
  const { name, id, query } = place();
  const [module, title] = VIEWS[name] ?? VIEWS[""];
  const turn = ++shown;
  leave();
  leave = () => {};
  for (const link of document.querySelectorAll("nav.main a")) {
    const here = link.getAttribute("href") === `#/${name}` || (["user", "item"].includes(name) && link.getAttribute("href") === "#/");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${id || title} – recsys explorer`;
  try {
    const view = await import(`./views/${module}.js`);
    const root = el("div");
    const left = await view.show(root, { id, query, again: show });
    if (turn !== shown) return void left?.();
    leave = left ?? leave;
    fill(main, root);
  } catch (error) {
    if (turn === shown) fill(main, problem(error));
  }
  main.dataset.view = name || "home";
  if (turn > 1) main.focus({ preventScroll: true });
  if (turn > 1) window.scrollTo(0, 0);
}

function problem(error) {
  const isKey = error.status === 401 || error.status === 403;
  return el("div", {}, el("h1", { text: isKey ? "This needs a key" : error.status === 404 ? "Not found" : "This did not work" }),
    el("div", { class: "note bad", role: "alert" }, el("p", { text: isKey ? "This page shows what not everybody may see." : error.message })),
    isKey ? el("button", { class: "primary", type: "button", text: "Enter a key", on: { click: askForKey } }) : el("p", {}, el("a", { href: "#/", text: "Back to the start" })));
}

const dialog = document.getElementById("key-dialog");
const field = document.getElementById("key-field");
export function askForKey() {
  field.value = key();
  dialog.showModal();
}
function decided(value) {
  if (value !== null) useKey(value.trim());
  dialog.close();
  markKey();
  if (value !== null) show();
}
function markKey() {
  const button = document.getElementById("key");
  button.hidden = !settings.operators.length && !settings.keys;
  button.textContent = key() ? "Key ✓" : "Key";
}
document.getElementById("key").addEventListener("click", askForKey);
document.addEventListener("ask-for-key", askForKey);
document.getElementById("key-save").addEventListener("click", () => decided(field.value));
document.getElementById("key-forget").addEventListener("click", () => decided(""));
document.getElementById("key-close").addEventListener("click", () => decided(null));
field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); decided(field.value); } });

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("recsys-theme", root.dataset.theme);
  dispatchEvent(new Event("theme"));
});
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });

await loadSettings();
document.getElementById("about").textContent = `recsys ${settings.release}`;
for (const link of document.querySelectorAll("footer a")) link.hidden = settings.operations; // on another port
const stores = document.getElementById("store");
if (settings.stores.length) {
  fill(stores, settings.stores.map((name) => el("option", { value: name, text: name })));
  stores.value = store();
  stores.hidden = false;
  stores.addEventListener("change", () => { useStore(stores.value); markKey(); if (place().id) location.hash = "#/"; else show(); });
}
markKey();
addEventListener("hashchange", show);
show();
