// @ts-check
// Key short cuts. Alt+Shift and a letter go everywhere, consoles included: shells and editors use Alt alone, browsers'
// menus, too. Ctrl+] leaves a console, as it does in `labrun attach`.
import { say } from "./phrases.js";

/** Words by the key that says them. */
export const wordKeys = { H: "hint", C: "check", D: "do", O: "ok", N: "next", S: "skip", R: "redo", B: "board" };

/** The other keys, and the phrase that says what each does. */
export const otherKeys = {
  "Ctrl+]": "page key leave",
  "Alt+Shift+G": "page key guide",
  "Alt+Shift+K": "page key console",
  "Alt+Shift+1 … 9": "page key number",
  "Alt+Shift+L": "page key network",
  "Alt+Shift+Y": "page key split",
  "Alt+Shift+/": "page key help",
  "Ctrl+Shift+C": "page key copy",
  "Ctrl+Shift+V": "page key paste",
};

/**
 * Listens until what it returns is called.
 * @param {import("./lab.js").Lab} lab
 */
export function shortcuts(lab) {
  /** @param {KeyboardEvent} event */
  const heard = (event) => {
    if (document.querySelector("dialog[open]") || !act(lab, event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener("keydown", heard, true); // before the terminals
  return () => removeEventListener("keydown", heard, true);
}

/**
 * Does what a key means, if it means something.
 * @param {import("./lab.js").Lab} lab
 * @param {KeyboardEvent} event
 */
function act(lab, event) {
  const target = /** @type {Element | null} */ (event.target);
  if (event.ctrlKey && !event.altKey && !event.shiftKey && (event.key === "]" || event.code === "BracketRight")) {
    if (!target?.closest("[data-console]")) return false;
    lab.toGuide(undefined);
    return true;
  }
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return false;
  const key = /^(?:Key|Digit)(.)$/.exec(event.code)?.[1] ?? event.code; // Option and Shift make other letters on a Mac
  const word = /** @type {Record<string, string>} */ (wordKeys)[key];
  if (word) {
    if (lab.may().includes(word)) lab.word(word);
    else lab.news.say(say("not now", word));
    return true;
  }
  const names = lab.consoles.names();
  if (/[1-9]/.test(key) && names[Number(key) - 1]) {
    lab.go(names[Number(key) - 1]);
    return true;
  }
  switch (key) {
    case "G":
      lab.toGuide(undefined);
      return true;
    case "K":
      lab.go(lab.run.asked?.console || (lab.consoles.shown === "network" ? names[0] : lab.consoles.shown));
      return true;
    case "L":
      lab.turn("network");
      return true;
    case "Y":
      lab.consoles.split();
      return true;
    case "Slash":
      lab.help();
      return true;
  }
  return false;
}
