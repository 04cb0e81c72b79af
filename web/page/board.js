// @ts-check
// The board: challenges that are taken in any order, how each stands, and a button that goes to it.
import { html, nothing } from "../npm/lit-html/lit-html.js";
import { language, say } from "./phrases.js";

/** What stands before a challenge. */
const marks = { done: "✓", skipped: "✓", changed: "!", begun: "…" };

/**
 * @param {import("./fold.js").Run} run
 * @param {import("./now.js").Acts} acts
 */
export function board(run, acts) {
  const e = run.board;
  const steps = run.steps.slice(e.first - 1, e.first - 1 + e.challenges.length);
  const goes = !run.readonly && acts.may().includes("goto");
  return html`<article class="text" data-shown="board">
    <h2>${say("board", e.solved, e.challenges.length)}</h2>
    <progress class="solved" max=${e.challenges.length} value=${e.solved} aria-label=${say("page progress")}></progress>
    <ol class="board">${steps.map((step) => html`<li>
      <button type="button" data-goto=${step.number} data-state=${step.state} ?disabled=${!goes || acts.busy}
        @click=${() => acts.word("goto", String(step.number))}>
        <span class="mark" aria-hidden="true">${/** @type {Record<string, string>} */ (marks)[step.state] ?? ""}</span>
        <span class="title">${say("page challenge", step.number, step.title)}</span>
        <span class="when">${state(step)}</span></button>
      ${goes && step.state !== "ahead" ? html`<button type="button" class="quiet" data-reset=${step.number} ?disabled=${acts.busy}
        aria-label=${say("page reset of", step.number)} @click=${() => acts.word("reset", String(step.number))}>${
          say("page reset")}</button>` : nothing}</li>`)}</ol></article>`;
}

/** How a challenge stands, in words. @param {import("./fold.js").Step} step */
function state(step) {
  switch (step.state) {
    case "done":
      return say("state solved", clock(step.passed));
    case "skipped":
      return say("state solved by labrun", clock(step.passed));
    case "changed":
      return say("state changed", clock(step.passed));
    case "begun":
      return say("state begun");
  }
  return nothing;
}

/** A time of today's, or with its day. @param {string} passed */
function clock(passed) {
  const at = new Date(passed);
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString(language(), time)
    : at.toLocaleString(language(), { ...time, dateStyle: undefined, year: "numeric", month: "2-digit", day: "2-digit" });
}
