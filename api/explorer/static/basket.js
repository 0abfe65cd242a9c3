// What the playground holds. It lasts as long as the tab, so that any page can put items into it.
import { titleOf } from "./api.js";
import { announce } from "./dom.js";

const PLACE = "recsys-try";
const EMPTY = { mode: "list", user: "", basket: [], more: [], less: [], boosts: {}, filter: "", diversity: 0, new_share: null, by: "behaviour", k: 10 };
const NAMES = { basket: "the basket", more: "more like this", less: "less like this" };

export function state() {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(PLACE) ?? "{}") };
  } catch {
    return { ...EMPTY };
  }
}
export function keep(changes) {
  sessionStorage.setItem(PLACE, JSON.stringify({ ...state(), ...changes }));
  dispatchEvent(new Event("basket"));
}
export const empty = () => { sessionStorage.removeItem(PLACE); dispatchEvent(new Event("basket")); };

/** Puts an item into one of the lists, once; the playground then shows that mode. */
export function add(list, id) {
  const now = state()[list].filter((each) => each !== id);
  const other = list === "more" ? "less" : list === "less" ? "more" : null;
  keep({ [list]: [...now, id], mode: list === "basket" ? "list" : "similar", ...(other ? { [other]: state()[other].filter((each) => each !== id) } : {}) });
  announce(`${titleOf(id)} is in ${NAMES[list]}; “Try out” shows what follows`);
}
export const take = (list, id) => keep({ [list]: state()[list].filter((each) => each !== id) });
