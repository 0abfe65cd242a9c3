// Requests to the service that this page came from, and what they look like as a command.

const ROOT = new URL("../", import.meta.url);
const KEY = "recsys-key";
const STORE = "recsys-store";

/** What the service said about itself: stores, whether they have operators. */
export const settings = { stores: [], operators: [], events: false, release: "" };

export async function loadSettings() {
  Object.assign(settings, await (await fetch(new URL("explore/settings.json", ROOT))).json());
  if (settings.stores.length && !settings.stores.includes(sessionStorage.getItem(STORE))) useStore(settings.stores[0]);
}

export const store = () => (settings.stores.length ? sessionStorage.getItem(STORE) : "");
export const useStore = (name) => sessionStorage.setItem(STORE, name);
export const key = () => sessionStorage.getItem(KEY) ?? "";
export const useKey = (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY));
export const hasOperators = () => settings.operators.includes(store());

/** An answer that is an error; `code` is the service's, `detail` is for people. */
export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The address of a path such as `/v1/model`, of the chosen store. */
export function address(path, query = {}) {
  const named = store() ? path.replace(/^\/(v1|admin)\//, `/$1/${encodeURIComponent(store())}/`) : path;
  const url = new URL(named.slice(1), ROOT);
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  return url;
}

async function send(path, { query, body, method, signal, binary, text } = {}) {
  const headers = { "X-Preview": "true" };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let reply;
  try {
    reply = await fetch(address(path, query), { method: method ?? (body === undefined ? "GET" : "POST"), headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "unreachable", "the service does not answer");
  }
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}));
    throw new Refusal(reply.status, problem.code ?? "", problem.detail ?? `the service answered ${reply.status}`);
  }
  if (binary) return reply.arrayBuffer();
  return text ? reply.text() : reply.json();
}

export const get = (path, query, options = {}) => send(path, { ...options, query });
export const post = (path, body, options = {}) => send(path, { ...options, body: body ?? {} });
export const command = (path, query) => send(path, { query, method: "POST" });
export const text = (path) => send(path, { text: true });
export const binary = (path, query) => send(path, { query, binary: true });
export const part = (id) => encodeURIComponent(id);

/** The same request for a terminal. */
export function curl(path, { query, body } = {}) {
  const url = address(path, query).href;
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  return body === undefined ? `curl ${quoted(url)}` : `curl ${quoted(url)} --json ${quoted(JSON.stringify(body))}`;
}

const titles = new Map();
/** Remembers titles that answers told, so that chips can show them. */
export function learn(items) {
  for (const item of items ?? []) if (item.title) titles.set(item.item_id, item.title);
  return items;
}
export const titleOf = (id) => titles.get(id) ?? id;

/** Titles of ids that no answer has told so far. */
export async function learnTitles(ids) {
  const missing = ids.filter((id) => !titles.has(id)).slice(0, 1000);
  if (missing.length) learn((await post("/v1/items:batch", { item_ids: missing })).items);
}

let overviewOf = {};
/** What there is to look at in the version that serves; asked for once per store and key. */
export function overview() {
  const place = `${store()}\n${key()}`;
  if (overviewOf.place !== place) {
    overviewOf = { place, asked: get("/v1/explorer/start") };
    overviewOf.asked.catch(() => (overviewOf = {}));
  }
  return overviewOf.asked;
}
