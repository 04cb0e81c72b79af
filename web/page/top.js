// @ts-check
// The bar at the top of the page: where one is, how the connection stands, language, theme, help.
import { html, nothing } from "../npm/lit-html/lit-html.js";
import { live } from "../npm/lit-html/directives/live.js";
import { switchTheme, theme } from "./keep.js";
import { language, say } from "./phrases.js";

/**
 * @param {{ tag: string, name: string }[]} languages
 * @param {(tag: string) => void} speak
 */
export function languageSelect(languages, speak) {
  return html`<label class="language"><span class="hidden">${say("page language")}</span>
    <select id="language" .value=${live(language())}
      @change=${(/** @type {Event} */ event) => speak(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${languages.map((l) => html`<option value=${l.tag} lang=${l.tag} ?selected=${l.tag === language()}>${l.name}</option>`)}
    </select></label>`;
}

/** @param {() => void} changed */
export function themeButton(changed) {
  const next = theme() === "dark" ? say("page light") : say("page dark");
  return html`<button type="button" id="theme" class="quiet" title=${next} aria-label=${next} @click=${() => {
    switchTheme();
    changed();
  }}><span aria-hidden="true">${theme() === "dark" ? "☀" : "☾"}</span></button>`;
}

/**
 * A button that is a sign where there is little room.
 * @param {string} name
 * @param {string} sign
 * @param {() => void} act
 */
function button(name, sign, act) {
  const label = say(`page ${name}`);
  return html`<button type="button" id=${name} class="quiet" aria-label=${label} @click=${act}><span class="wide">${label}</span>
    <span class="narrow" aria-hidden="true">${sign}</span></button>`;
}

/** @param {import("./lab.js").Lab} lab */
export function top(lab) {
  const { run, state } = lab;
  return html`<header id="top">
    <a class="brand" href="#" title=${run.teacher ? say("page class back") : say("page list")}><span aria-hidden="true">❯_</span> labrun</a>
    <h1>${run.title}</h1>
    ${run.readonly && run.student ? html`<span class="badge">${run.student}</span>` : nothing}
    ${run.readonly ? html`<span class="badge ${run.invited && run.teacher ? "good" : ""}">${
      run.teacher && run.invited ? say("page class invited") : say("page watching")}</span>` : nothing}
    <span id="connection" data-state=${state} role="status">${state === "open" ? html`<span class="hidden">${
      say("page connection open")}</span>` : say(`page connection ${state}`)}
      ${state === "waiting" ? html`<button type="button" class="inline" @click=${() => lab.socket.retry()}>${
        say("page connection retry")}</button>` : nothing}</span>
    <span class="gap"></span>
    ${languageSelect(lab.home.languages, (tag) => lab.speak(tag))}
    ${themeButton(lab.draw)}
    ${run.readonly || state !== "open" ? nothing : button("share", "↗", () => lab.share())} ${button("settings", "⚙", () => lab.settings())} ${button("help", "?", () => lab.help())}
  </header>`;
}
