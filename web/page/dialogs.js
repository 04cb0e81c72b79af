// @ts-check
// Dialogs: a question before what cannot be taken back, help, settings.
import { html, render } from "../npm/lit-html/lit-html.js";
import { keep, kept, size } from "./keep.js";
import { otherKeys, wordKeys } from "./keys.js";
import { say } from "./phrases.js";
import { rich } from "./rich.js";

/**
 * Shows a dialog until it is closed, and returns what it was closed with.
 * @param {string} title
 * @param {(close: (value: string) => () => void) => unknown} content
 * @returns {Promise<string>}
 */
function show(title, content) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  const close = (/** @type {string} */ value) => () => dialog.close(value);
  render(html`<div class="dialog"><h2 id="dialog-title" tabindex="-1" autofocus>${title}</h2>${content(close)}</div>`, dialog);
  document.body.append(dialog);
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  return new Promise((resolve) => {
    dialog.onclose = () => {
      dialog.remove();
      before?.focus();
      resolve(dialog.returnValue);
    };
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    dialog.showModal();
  });
}

/**
 * @param {string} question
 * @param {string} yes
 */
export async function confirm(question, yes) {
  return (await show(say("page sure"), (close) => html`<p>${question}</p><div class="actions">
    <button type="button" class="main" data-do="yes" @click=${close("yes")}>${yes}</button>
    <button type="button" data-do="no" @click=${close("")}>${say("page cancel")}</button></div>`)) === "yes";
}

export function help() {
  return show(say("page help"), (close) => html`
    <p>${say("page help how")}</p>
    <h3>${say("page help words")}</h3>
    <dl class="key-list">${Object.entries(wordKeys).map(([key, word]) => html`
      <div><dt><kbd>Alt+Shift+${key}</kbd></dt><dd>${say(`page help ${word}`)}</dd></div>`)}</dl>
    <h3>${say("page help keys")}</h3>
    <dl class="key-list">${Object.entries(otherKeys).map(([key, name]) => html`
      <div><dt><kbd>${key}</kbd></dt><dd>${say(name)}</dd></div>`)}</dl>
    <p>${rich(say("page help attach"))}</p>
    <div class="actions"><button type="button" class="main" @click=${close("")}>${say("page close")}</button></div>`);
}

/**
 * @param {string} address for watching
 * @param {(text: string) => void} copy
 */
export function share(address, copy) {
  return show(say("page share"), (close) => html`
    <p>${say("page share how")}</p>
    <input type="text" readonly aria-label=${say("page share link")} .value=${address}>
    <div class="actions"><button type="button" class="main" data-do="copy" @click=${() => copy(address)}>${say("page copy")}</button>
      <button type="button" @click=${close("")}>${say("page close")}</button></div>`);
}

/** @param {() => void} changed */
export function settings(changed) {
  /**
   * @param {string} name
   * @param {(target: HTMLInputElement) => string} value
   */
  const keeper = (name, value) => (/** @type {Event} */ event) => {
    keep(name, value(/** @type {HTMLInputElement} */ (event.target)));
    changed();
  };
  return show(say("page settings"), (close) => html`
    <label class="row"><span>${say("page size")}</span><input type="range" name="size" min="10" max="24" step="1"
      .value=${size()} @input=${keeper("size", (target) => target.value)}></label>
    <label class="row"><span>${say("page reader")}</span><input type="checkbox" name="reader"
      .checked=${kept("reader", "off") === "on"} @change=${keeper("reader", (target) => (target.checked ? "on" : "off"))}></label>
    <p class="dim">${say("page reader how")}</p>
    <div class="actions"><button type="button" class="main" @click=${close("")}>${say("page close")}</button></div>`);
}
