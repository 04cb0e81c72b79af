// @ts-check
// The guide: steps and where the student is, the step's text, what has happened in it, and what to do now.
import { html, nothing } from "../npm/lit-html/lit-html.js";
import { unsafeHTML } from "../npm/lit-html/directives/unsafe-html.js";
import { board } from "./board.js";
import { now } from "./now.js";
import { duration, say } from "./phrases.js";
import { marked, rich } from "./rich.js";

/**
 * @param {import("./fold.js").Run} run
 * @param {import("./now.js").Acts} acts
 * @param {number} looked the step that is looked at; 0: the present one
 * @param {(index: number) => void} look
 */
export function guide(run, acts, looked, look) {
  const at = looked || run.at;
  const step = run.steps[at - 1];
  return html`
    ${run.steps.length ? steps(run, at, look) : nothing}
    <div class="reading" tabindex="0" role="region" aria-label=${say("page text")}>
      ${at <= (run.welcome?.from ?? 1) ? welcome(run) : nothing}
      ${run.board && !looked ? board(run, acts) : step ? shown(run, step, acts) : nothing}
      ${looked && (looked !== run.at || run.board) ? html`<p class="back"><button type="button" class="main"
        @click=${() => look(0)}>${run.board ? say("page back board") : say("page back", run.step().number || run.at)}</button></p>` : nothing}
    </div>
    <section id="now" tabindex="-1" class="card ${run.asked?.verb === "trouble" ? "trouble" : ""} ${run.completed ? "complete" : ""}"
      data-verb=${run.asked?.verb ?? ""} data-number=${run.asked?.number ?? ""} aria-label=${say("page now label")}>
      ${now(run, acts)}</section>`;
}

/** What stands beside a step, besides its number. */
const marks = { done: "✓", skipped: "✓", left: "–", here: "●", replaying: "…", begun: "…", changed: "!", ahead: "" };

/** What a step is called. @param {import("./fold.js").Run} run @param {import("./fold.js").Step} step */
const called = (run, step) =>
  step.number ? say("challenge", step.number, step.challenges, step.title) : say("step", step.index, run.steps.length, step.title);

/** @param {string} state */
function stateName(state) {
  return say(state === "changed" ? "page state changed" : `state ${state === "replaying" ? "ahead" : state}`);
}

let listed = false; // the steps are shown with their titles

/**
 * @param {import("./fold.js").Run} run
 * @param {number} at
 * @param {(index: number) => void} look
 */
function steps(run, at, look) {
  const list = () => {
    listed = !listed;
    look(at === run.at ? 0 : at);
  };
  const present = run.board ? 0 : at;
  return html`<nav class="steps" aria-label=${say("page steps")}>
    <ol class=${listed ? "list" : "row"}>${run.steps.map((step) => html`<li>
      <button type="button" data-step=${step.index} data-state=${step.state} class="step ${step.number ? "challenge" : ""}"
        aria-current=${step.index === present ? "step" : "false"} ?disabled=${!step.narration} title=${listed ? "" : step.title}
        @click=${() => look(step.index === run.at && !run.board ? 0 : step.index)}>
        <span class="mark" aria-hidden="true">${marks[step.state] || step.number || step.index}</span>
        ${listed ? html`<span class="title">${step.title}</span> <span class="when">${stateName(step.state)}${
          step.seconds ? `, ${duration(step.seconds)}` : ""}</span>`
          : html`<span class="hidden">${called(run, step)} (${stateName(step.state)})</span>`}
      </button></li>`)}</ol>
    <button type="button" id="steps" class="quiet" aria-expanded=${listed} title=${say("page steps list")}
      aria-label=${say("page steps list")} @click=${list}><span aria-hidden="true">☰</span></button></nav>`;
}

/** @param {import("./fold.js").Run} run */
function welcome(run) {
  const e = run.welcome;
  if (!e) return nothing;
  return html`<div class="welcome">
    <p>${e.steps === 1 ? say("page welcome one") : say("page welcome", e.steps)} ${e.minutes ? say("minutes", e.minutes) : nothing}</p>
    ${e.class ? html`<p>${rich(say("class told"))}</p>` : nothing}
    ${e.damaged ? html`<p>${say("damaged", e.damaged)}</p>` : nothing}
    ${e.why === "changed" ? html`<p>${say("changed")}</p>` : nothing}
    ${e.why === "finished" ? html`<p>${say("finished once", e.finished)}</p>` : nothing}
    ${e.why === "resumed" ? html`<p>${e.challenges ? say("resume board", e.solved ?? 0, e.challenges)
      : say("resume", e.from, e.steps)}</p>` : nothing}
    ${run.before.map((entry) => story(entry))}
    ${run.notices.map((text) => html`<p class="notice">${text}</p>`)}
  </div>`;
}

/**
 * @param {import("./fold.js").Run} run
 * @param {import("./fold.js").Step} step
 * @param {import("./now.js").Acts} acts
 */
function shown(run, step, acts) {
  return html`<article class="text" data-shown=${step.index}>
    <h2>${called(run, step)}</h2>
    ${step.seconds && step.state !== "here" ? html`<p class="took">${stateName(step.state)} · ${duration(step.seconds)}</p>`
      : nothing}
    <div class="prose">${unsafeHTML(step.narration)}</div>
    ${step.story.length ? html`<div class="story">${step.story.map((entry) => story(entry, acts))}</div>` : nothing}
  </article>`;
}

/** What labrun says to a student's word. */
const helps = { do: "doing", skip: "skipping", restart: "restarting" };

/**
 * @param {import("./fold.js").Entry} entry
 * @param {import("./now.js").Acts} [acts]
 */
function story(entry, acts) {
  const e = entry.event;
  switch (entry.kind) {
    case "done":
      return e.say ? html`<div class="entry done" data-by=${entry.by}><span class="mark" aria-hidden="true">${
        entry.by === "nobody" ? "–" : "✓"}</span><p>${rich(e.say)} ${e.block ? html`<code>${e.block}</code>` : nothing}
        ${entry.by === "labrun" ? html`<span class="by">${say("state skipped")}</span>` : nothing}</p></div>` : nothing;
    case "told":
      return html`<div class="entry told">${marked(e.text_html, e.text, acts)}</div>`;
    case "answered":
      return html`<div class="entry answered" data-verdict=${e.verdict ?? ""}>
        ${e.question ? html`<p class="asked">${e.question}</p>` : nothing}
        <p><strong>${e.answer}</strong> ${verdict(e.verdict)}</p></div>`;
    case "helped": {
      const name = /** @type {Record<string, string>} */ (helps)[e.word];
      return name ? html`<p class="entry note">${say(name, e.with ?? "")}</p>` : nothing;
    }
    case "hint":
      return html`<div class="entry note">${marked(e.text_html, say("hint", e.level, e.of, e.text_html ? "" : e.text))}</div>`;
    case "note":
      return html`<p class="entry note">${say(e.phrase, ...e.args)}</p>`;
  }
}

/** @param {string | undefined} verdict */
function verdict(verdict) {
  const name = { right: "right", open: "noted" }[verdict ?? ""];
  return name ? say(name) : nothing;
}
