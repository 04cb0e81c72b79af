// @ts-check
// What a browser keeps of its user's taste: theme, sizes, switches. Nothing of a lab is kept here.

/**
 * @param {string} name
 * @param {string} otherwise
 */
export function kept(name, otherwise) {
  try {
    return localStorage.getItem(`labrun ${name}`) ?? otherwise;
  } catch {
    return otherwise; // a browser that keeps nothing
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function keep(name, value) {
  try {
    localStorage.setItem(`labrun ${name}`, value);
  } catch {
    // it holds until the page is left
  }
}

export const theme = () => document.documentElement.dataset.theme ?? "light";

export function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  keep("theme", next);
  document.dispatchEvent(new CustomEvent("labrun-theme", { detail: next }));
}

/** The text size of consoles, in pixels: less on a narrow screen, so that lines fit. */
export const size = () => kept("size", innerWidth < 600 ? "12" : "14");
