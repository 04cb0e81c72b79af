// @ts-check
// labrun's words in the reader's language, from the same catalogue as the terminal's.
import { get, spoken } from "./api.js";

/** @type {Record<string, string>} */
let phrases = {};
let tag = "en";
let turns = 0; // how often a language was asked for

/** The language spoken now, a BCP 47 tag. */
export const language = () => tag;

/**
 * Speaks another language from now on.
 * @param {string} to
 */
export async function speak(to) {
  const turn = ++turns;
  const loaded = await get(`phrases/${encodeURIComponent(to)}.json`);
  if (turn !== turns) return; // another one was asked for since
  phrases = loaded;
  tag = spoken.tag = to;
  document.documentElement.lang = to;
}

// As in package phrase: a phrase's own full stop goes where a text that was put in brings one.
const seam = "\u0000";
const doubled = new RegExp(`([.?!…。？！]['"»」\`)]?)${seam}[.。]`, "g");

/**
 * Says a phrase, with what it is about put in for its %s, %d and %.1f.
 * @param {string} name
 * @param {...(string | number)} args
 */
export function say(name, ...args) {
  let at = 0;
  const text = (phrases[name] ?? name).replace(/%(?:\.(\d+))?([sdqf%])/g, (_, digits, verb) => {
    if (verb === "%") return "%";
    const arg = args[at++] ?? "";
    if (verb === "f") return Number(arg).toFixed(digits ?? 6);
    return typeof arg === "string" ? arg + seam : String(arg);
  });
  return text.replace(doubled, "$1").replaceAll(seam, "");
}

/**
 * Puts texts one behind the other, with a full stop after each that has none.
 * @param {...string} texts
 */
export function sentences(...texts) {
  let whole = "";
  for (const text of texts.map((t) => t.trim()).filter(Boolean)) {
    const last = whole.replace(/['"»」`)]+$/, "").slice(-1);
    if (whole) whole += ".?!…。？！".includes(last) ? " " : say("full stop");
    whole += text;
  }
  return whole;
}

/**
 * A time that people read: 7 s, 3 min, 1 h 5 min.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 59.5) return say("page seconds", Math.max(1, Math.round(seconds)));
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return say("page minutes", minutes);
  return say("page hours", Math.floor(minutes / 60), minutes % 60);
}
