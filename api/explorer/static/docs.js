// Every request of the service, drawn from its OpenAPI document, with a form to try each.
import { el, fill, unique } from "./dom.js";

const ROOT = new URL("../", import.meta.url);
const KEY = "recsys-key";
const main = document.getElementById("main");
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });

const [whole, told] = await Promise.all([fetch(new URL("openapi.json", ROOT)).then((reply) => reply.json()), fetch(new URL("explore/settings.json", ROOT)).then((reply) => reply.json()).catch(() => ({}))]);
document.getElementById("to-explorer").hidden = told.explorer === "off";
const resolved = (schema) => (schema?.$ref ? resolved(schema.$ref.split("/").slice(1).reduce((node, name) => node[name], whole)) : schema);
const operations = Object.entries(whole.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([method]) => method !== "head").map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
const groups = Map.groupBy ? Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "other") : operations.reduce((all, each) => { const name = each.operation.tags?.[0] ?? "other"; return all.set(name, [...(all.get(name) ?? []), each]); }, new Map());

fill(main,
  el("h1", { text: `All requests of ${whole.info.title} ${whole.info.version}` }),
  (whole.info.description ?? "").split("\n\n").map((part) => el("p", {}, coded(part))),
  operations.some(({ operation }) => operation.security) || told.keys ? keyField() : null,
  [...groups].map(([name, members]) => el("section", {}, el("h2", { text: name }), members.map(shown))));

/** What an operation does, in a line. */
function firstSentence(operation) {
  return (operation.description ?? operation.summary ?? "").split(/(?<=\.)\s/)[0].replaceAll("`", "");
}

/** Words in backticks as code. */
function coded(text) {
  return text.split("`").map((part, at) => (at % 2 ? el("code", { text: part }) : part.replaceAll("**", "")));
}

function keyField() {
  const input = el("input", { type: "password", id: "key", value: sessionStorage.getItem(KEY) ?? "", autocomplete: "off", on: { input: () => (input.value ? sessionStorage.setItem(KEY, input.value) : sessionStorage.removeItem(KEY)) } });
  return el("div", { class: "field" }, el("label", { for: "key", text: "Key" }), input, el("span", { class: "hint", text: "Sent with every request that is tried here. It stays in this tab." }));
}

function shown({ path, method, operation }) {
  const details = el("details", { class: "operation", id: operation.operationId }, el("summary", {}, el("span", { class: `method ${method}`, text: method }), el("span", { class: "path", text: path }), el("span", { class: "weak small", text: firstSentence(operation) })));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(body(path, method, operation)); });
  return details;
}

function body(path, method, operation) {
  const parameters = operation.parameters ?? [], content = operation.requestBody?.content?.["application/json"];
  const inputs = parameters.map((parameter) => ({ parameter, input: el("input", { type: "text", id: unique("parameter"), placeholder: parameter.schema?.default ?? "", autocomplete: "off", spellcheck: "false" }) }));
  const text = content ? el("textarea", { id: unique("body"), spellcheck: "false" }) : null;
  if (text) text.value = JSON.stringify(content.example ?? {}, null, 2);
  const reply = el("div", { "aria-live": "polite" });
  return el("div", {},
    (operation.description ?? "").split("\n\n").filter(Boolean).map((part) => el("p", {}, coded(part))),
    operation.security ? el("p", { class: "small weak", text: "Needs a key." }) : null,
    inputs.map(({ parameter, input }) => el("div", { class: "field" }, el("label", { for: input.id }, el("code", { text: parameter.name }), parameter.required ? " (needed)" : ""), input, el("span", { class: "hint" }, coded(parameter.description ?? ""), limits(parameter.schema)))),
    text ? [el("div", { class: "field" }, el("label", { for: text.id, text: "Body" }), text), fields(resolved(content.schema))] : null,
    el("button", { type: "button", class: "primary", text: "Send", on: { click: () => send(path, method, inputs, text, reply) } }), reply,
    el("h3", { text: "Answers" }),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Answers" }, el("table", { class: "plain" }, el("tbody", {}, Object.entries(operation.responses).map(([status, response]) => el("tr", {}, el("th", { scope: "row", text: status }), el("td", { text: response.description })))))));
}

function limits(schema) {
  const found = [schema?.minimum !== undefined ? `from ${schema.minimum}` : "", schema?.maximum !== undefined ? `up to ${schema.maximum}` : "", schema?.enum ? schema.enum.join(", ") : ""].filter(Boolean).join(" ");
  return found ? ` (${found})` : "";
}

function fields(schema) {
  if (!schema?.properties) return null;
  return el("details", {}, el("summary", { text: "Fields of the body" }), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Fields" }, el("table", { class: "plain" }, el("tbody", {}, Object.entries(schema.properties).map(([name, field]) => el("tr", {}, el("th", { scope: "row" }, el("code", { text: name }), schema.required?.includes(name) ? " (needed)" : ""), el("td", { text: kind(field) }), el("td", {}, coded(field.description ?? ""), limits(field))))))));
}

function kind(field) {
  const plain = resolved(field);
  if (plain.anyOf) return plain.anyOf.map(kind).filter((each) => each !== "null").join(" or ");
  if (plain.type === "array") return `list of ${kind(plain.items ?? {})}`;
  return plain.enum ? "one of " + plain.enum.join(", ") : plain.type ?? plain.title ?? "any";
}

async function send(path, method, inputs, text, place) {
  const filled = inputs.reduce((left, { parameter, input }) => (parameter.in === "path" ? left.replace(`{${parameter.name}}`, encodeURIComponent(input.value)) : left), path);
  const url = new URL(filled.slice(1), ROOT);
  for (const { parameter, input } of inputs) if (parameter.in === "query" && input.value !== "") url.searchParams.set(parameter.name, input.value);
  const key = sessionStorage.getItem(KEY);
  const headers = { ...(text ? { "Content-Type": "application/json" } : {}), ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const started = performance.now();
  try {
    const reply = await fetch(url, { method, headers, body: text ? text.value : undefined });
    const raw = await reply.text();
    const isJson = (reply.headers.get("Content-Type") ?? "").includes("json");
    fill(place, el("p", {}, el("b", { text: `${reply.status} ${reply.statusText}` }), ` in ${Math.round(performance.now() - started)} ms`), el("pre", { class: "reply", tabindex: 0, text: isJson ? JSON.stringify(JSON.parse(raw), null, 2) : raw.slice(0, 100_000) }));
  } catch {
    fill(place, el("p", { class: "note bad", text: "The service does not answer." }));
  }
}
