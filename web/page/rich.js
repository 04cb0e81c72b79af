// @ts-check
// Texts of labrun's with words in `backquotes`. In a terminal those are typed; here those that a page can do are buttons.
import { html } from "../npm/lit-html/lit-html.js";
import { unsafeHTML } from "../npm/lit-html/directives/unsafe-html.js";

/**
 * @typedef {object} Deeds what a page can do when a word is clicked
 * @property {(word: string, text?: string) => void} word says a word to the guide
 * @property {(machine: string) => void} go shows a machine's console
 * @property {() => string[]} may the words that are taken now
 * @property {() => string[]} machines
 * @property {() => string[]} names of all consoles
 */

/**
 * @param {string} text
 * @param {Deeds} [deeds]
 */
export function rich(text, deeds) {
  return text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? code(part, deeds) : part));
}

/**
 * @param {string} text
 * @param {Deeds} [deeds]
 */
function code(text, deeds) {
  const [word, rest = ""] = text.split(/ (.*)/);
  const console = /^(?:labrun attach|console) (\S+)$/.exec(text)?.[1];
  if (deeds && console && deeds.names().includes(console)) {
    return html`<button type="button" class="inline" @click=${() => deeds.go(console)}>${text}</button>`;
  }
  const known = word === "restart" ? deeds?.machines().includes(rest) : rest === "";
  if (deeds && known && (word === "text" || deeds.may().includes(word))) {
    return html`<button type="button" class="inline" @click=${() => deeds.word(word, rest)}>${text}</button>`;
  }
  return html`<code>${text}</code>`;
}

/**
 * A text that labrun has made HTML of (package markdown, which lets no markup of an author's through), or its words.
 * @param {string | undefined} markup
 * @param {string} text
 * @param {Deeds} [deeds]
 */
export function marked(markup, text, deeds) {
  return markup ? html`<div class="prose">${unsafeHTML(markup)}</div>` : html`<p>${rich(text, deeds)}</p>`;
}
