// @ts-check
// The line between guide and consoles, which is dragged, or moved with the arrow keys.
import { html } from "../npm/lit-html/lit-html.js";
import { keep, kept } from "./keep.js";
import { say } from "./phrases.js";

const least = 25; // per cent of the window
const most = 70;
let width = Number(kept("divider", "40"));

/**
 * @param {HTMLElement} element
 * @param {number} to
 */
function set(element, to) {
  width = Math.min(Math.max(to, least), most);
  element.setAttribute("aria-valuenow", String(Math.round(width)));
  document.documentElement.style.setProperty("--guide", `${width}%`);
  keep("divider", String(width));
}

/** @param {PointerEvent} event */
function drag(event) {
  const element = /** @type {HTMLElement} */ (event.currentTarget);
  element.setPointerCapture(event.pointerId);
  element.onpointermove = (move) => set(element, (100 * move.clientX) / innerWidth);
  element.onpointerup = element.onpointercancel = () => {
    element.onpointermove = null;
  };
}

/** @param {KeyboardEvent} event */
function key(event) {
  const step = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
  if (!step) return;
  event.preventDefault();
  set(/** @type {HTMLElement} */ (event.currentTarget), width + step);
}

export function divider() {
  document.documentElement.style.setProperty("--guide", `${width}%`);
  return html`<div id="divider" role="separator" aria-orientation="vertical" tabindex="0" aria-label=${say("page divider")}
    aria-valuemin=${least} aria-valuemax=${most} aria-valuenow=${Math.round(width)}
    @pointerdown=${drag} @keydown=${key}></div>`;
}
