// The service's metrics: Prometheus' text, read.
import { settings, store, text } from "./api.js";

/** All samples, as {name, labels, value}; those of other stores are left out. */
export async function samples() {
  const found = [];
  for (const line of (await text("/metrics")).split("\n")) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...(parts[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    if (settings.stores.length && labels.store !== undefined && labels.store !== store()) continue;
    found.push({ name: parts[1], labels, value: parts[3] === "+Inf" ? Infinity : Number(parts[3]) });
  }
  return found;
}

export const sum = (found, name, matches = () => true) => found.filter((sample) => sample.name === name && matches(sample.labels)).reduce((total, sample) => total + sample.value, 0);
export const one = (found, name, matches = () => true) => found.find((sample) => sample.name === name && matches(sample.labels))?.value;

/** By value of a label, the sum. */
export function by(found, name, label) {
  const totals = new Map();
  for (const sample of found) if (sample.name === name && sample.labels[label] !== undefined) totals.set(sample.labels[label], (totals.get(sample.labels[label]) ?? 0) + sample.value);
  return totals;
}
