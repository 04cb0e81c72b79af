// @ts-check
// What the student is asked to do now: the card at the end of the guide, always in sight.
import { html, nothing } from "../npm/lit-html/lit-html.js";
import { live } from "../npm/lit-html/directives/live.js";
import { repeat } from "../npm/lit-html/directives/repeat.js";
import { duration, language, say, sentences } from "./phrases.js";
import { marked, rich } from "./rich.js";

/** @typedef {import("./fold.js").Run} Run */

/**
 * @typedef {object} Acts what the card has done at a click
 * @property {(word: string, text?: string) => void} word says a word to the guide
 * @property {(machine: string) => void} go
 * @property {(machine: string, text: string, enter: boolean) => void} type
 * @property {(text: string) => void} copy
 * @property {() => void} resume
 * @property {() => string[]} may
 * @property {() => string[]} machines
 * @property {() => string[]} names of all consoles
 * @property {string} refused why the last word was not taken
 * @property {boolean} busy a word is under way
 * @property {Map<number, string>} drafts answers that are not given yet, by instruction
 * @property {() => void} changed
 * @property {string} hub the JupyterHub's page that lets in; empty: a key does
 * @property {import("./socket.js").State} state of the guide's connection
 */

/**
 * @param {Run} run
 * @param {Acts} acts
 */
export function now(run, acts) {
  if (run.ended || ["over", "gone", "login"].includes(acts.state)) return over(run, acts);
  const asked = run.asked;
  if (!asked) return working(run, acts);
  return html`<div class="body">
      <h2 class="label">${label(asked)}</h2>
      ${asked.verb === "stay" ? stay(run) : task(run, acts)}
      ${run.hints.length ? html`<ol class="hints">${run.hints.map((h) => hint(h, asked, acts))}</ol>` : nothing}
      ${run.missed && asked.verb !== "check" ? html`<p class="missed">${rich(missed(run.missed), acts)}</p>` : nothing}
      <p class="refused" role="status">${acts.refused ? rich(acts.refused, acts) : nothing}</p>
    </div>
    ${run.readonly ? nothing : actions(run, acts)}`;
}

/** @param {any} asked */
function label(asked) {
  if (asked.question) return say("page question");
  if (asked.verb === "trouble") return say("page trouble");
  if (asked.verb === "stay") return say("page done");
  if (asked.verb === "board") return say("page board");
  if (asked.verb === "sure") return say("page sure");
  return say("page now");
}

/** @param {any} e */
function missed(e) {
  if (e.verdict) return `${e.answer}: ${say("wrong")}`;
  const why = say("not yet", e.again ? say("same") : e.reason);
  return why.includes("\n") ? `${why}\n${say("not yet hint")}` : sentences(why, say("not yet hint"));
}

/**
 * What is asked, and the ways to do it.
 * @param {Run} run
 * @param {Acts} acts
 */
function task(run, acts) {
  const e = run.asked;
  if (e.question) return question(run, acts);
  if (e.verb === "board") return html`<p class="say">${say("page board how")}</p>`;
  const boot = e.verb === "boot";
  const typed = e.block || (e.verb === "send" || acts.may().includes("ok") ? e.text : "");
  const enter = boot || e.verb === "wait_prompt";
  return html`
    <p class="say">${rich(e.say || say("page look", e.console ?? ""), acts)}${boot ? `${e.say.endsWith("：") ? "" : " "}${say("page boot how")}` : nothing}</p>
    ${e.goal ? marked(e.goal_html, e.goal, acts) : nothing}
    ${e.block ? html`<pre class="block"><code>${e.block}</code></pre>` : nothing}
    ${e.console ? html`<div class="ways">
      <button type="button" class="main" data-do="go" @click=${() => acts.go(e.console)}>${say("page go", e.console)}</button>
      ${typed && !run.readonly ? html`<button type="button" data-do="type"
        @click=${() => acts.type(e.console, typed, !e.keys)}>${say("page type")}</button>` : nothing}
      ${typed ? html`<button type="button" data-do="copy" @click=${() => acts.copy(typed)}>${say("page copy")}</button>`
        : nothing}
      ${enter && !run.readonly ? html`<button type="button" data-do="enter"
        @click=${() => acts.type(e.console, "", true)}>${say("page enter")}</button>` : nothing}
      ${e.press && !run.readonly ? html`<button type="button" data-do="press"
        @click=${() => acts.type(e.console, e.press, false)}>${say("page press")}</button>` : nothing}
    </div>` : nothing}`;
}

/**
 * @param {Run} run
 * @param {Acts} acts
 */
function question(run, acts) {
  const e = run.asked;
  const draft = acts.drafts.get(e.number) ?? "";
  /** @param {Event} event */
  const keep = (event) => {
    acts.drafts.set(e.number, /** @type {HTMLInputElement} */ (event.target).value);
    acts.changed();
  };
  /** @param {Event} event */
  const answer = (event) => {
    event.preventDefault();
    acts.word("answer", acts.drafts.get(e.number) ?? "");
  };
  const choices = e.choices ?? [];
  return html`<form id="answer" @submit=${answer}>
    <fieldset ?disabled=${run.readonly}>
      <legend class="say">${rich(e.text || e.say, acts)}</legend>
      ${choices.length ? choices.map((/** @type {string} */ choice, /** @type {number} */ n) => html`<label class="choice">
          <input type="radio" name="answer" value=${n + 1} .checked=${live(draft === String(n + 1))} @change=${keep}>
          <span>${choice}</span></label>`)
      : html`<label class="open"><span>${say("page answer")}</span>
          <input type="text" name="answer" lang=${language()} autocomplete="off" .value=${live(draft)} @input=${keep}></label>`}
      ${run.readonly ? nothing : html`<button type="submit" class="main" ?disabled=${choices.length > 0 && !draft}>
        ${choices.length || draft ? say("page answer this") : say("page answer none")}</button>`}
    </fieldset></form>`;
}

/**
 * @param {any} h
 * @param {any} asked
 * @param {Acts} acts
 */
function hint(h, asked, acts) {
  if (!asked.goal) return html`<li class="hint">${rich(say("hint", h.level, h.of, h.text), acts)}</li>`;
  return html`<li class="hint"><p>${say("hint", h.level, h.of, "").trim()}</p>${marked(h.text_html, h.text, acts)}</li>`;
}

/** The words that have a button of their own; the others are behind «more». */
const first = ["yes", "no", "hint", "check", "ok", "next", "do", "leave", "invite", "alone"];

/**
 * @param {Run} run
 * @param {Acts} acts
 */
function actions(run, acts) {
  const e = run.asked;
  const may = acts.may();
  const told = run.hints.length;
  /** @param {string} word */
  const name = (word) => {
    if (word === "hint" && told) return say("page word hint more", told, e.hints);
    if (word === "next" && e.verb === "board") return say("page word next board");
    return say(`page word ${word}`);
  };
  /** @param {string} word */
  const button = (word) => html`<button type="button" data-word=${word} ?disabled=${acts.busy}
    @click=${() => acts.word(word)}>${name(word)}</button>`;
  const hintless = told >= (e.hints ?? 0);
  const quit = html`<button type="button" data-word="quit" class=${e.verb === "stay" ? "main" : ""} ?disabled=${acts.busy}
    @click=${() => acts.word("quit")}>${e.verb === "stay" ? say("page word quit done") : say("page word quit")}</button>`;
  const words = first.filter((word) => may.includes(word) && !(word === "hint" && hintless));
  const more = ["skip", may.includes("leave") ? "reset" : "redo"].filter((word) => may.includes(word));
  return html`<div class="actions">
      ${repeat(words, (word) => word, button) /* a button stays that word's, lest somebody presses another */}
      ${e.verb === "stay" ? quit : nothing}
      <details class="more"><summary>${say("page more")}</summary><div>
        ${repeat(more, (word) => word, button)}
        ${may.includes("restart") ? acts.machines().map((machine) => html`<button type="button" data-word="restart"
          data-machine=${machine} @click=${() => acts.word("restart", machine)}>${say("page word restart", machine)}</button>`)
          : nothing}
        ${e.verb === "stay" ? nothing : quit}
      </div></details>
    </div>`;
}

/** @param {Run} run */
function stay(run) {
  return html`<p class="say">${complete(run)}</p><p>${say("page stay", [...run.machines.keys()].join(", "))}</p>`;
}

/** @param {Run} run */
function complete(run) {
  const e = run.completed;
  if (!e) return "";
  if (e.done < e.of) return say("complete some", e.done, e.of);
  return e.of === 1 ? say("complete one") : say("complete", e.done);
}

/**
 * labrun is at work: what it does, with figures where there are true ones.
 * @param {Run} run
 * @param {Acts} acts
 */
function working(run, acts) {
  const step = run.step();
  const booting = [...run.machines.values()].filter((m) => m.state === "booting" && m.on);
  let what = say("page working");
  if (acts.state !== "open" && !run.title) what = say("page connecting");
  else if (step?.state === "replaying") {
    what = step.number ? say("replaying challenge", step.number, step.title) : say("replaying", step.index, step.title);
  }
  else if (run.acted?.verb === "send") what = say("page types", run.acted.machine, run.acted.text ?? "");
  return html`<div class="body"><h2 class="label">${say("page wait")}</h2>
    <p class="say working">${rich(what)}</p>
    ${[...run.work.values()].map((w) => html`<p class="work"><span>${w.subject}: ${w.note || w.phase}</span>
      ${w.total > 0 ? html`<progress max=${w.total} value=${w.done} aria-label=${w.subject}></progress>
        <span>${Math.floor((100 * w.done) / w.total)} %</span>` : nothing}</p>`)}
    ${booting.map((m) => html`<p class="work">${say("page boots", m.name, duration((Date.now() - m.since) / 1000))}</p>`)}</div>`;
}

/**
 * The run is over, or the page has lost it.
 * @param {Run} run
 * @param {Acts} acts
 */
function over(run, acts) {
  const ended = run.ended;
  if (acts.state === "login" && acts.hub) {
    return html`<div class="body"><h2 class="label">${say("page hub login title")}</h2><p>${say("page hub login")}</p></div>
      <div class="actions"><button type="button" class="main" data-do="login" @click=${() => location.reload()}>
        ${say("page hub login do")}</button></div>`;
  }
  if (acts.state === "login") return html`<div class="body"><h2 class="label">${say("page over")}</h2><p>${say("page login")}</p></div>`;
  return html`<div class="body"><h2 class="label">${say("page over")}</h2>
    ${run.completed ? html`<p class="say">${complete(run)}</p>${helped(run)}` : nothing}
    ${run.paused ? html`<p class="say">${run.paused.board ? say("page kept board") : say("page kept", run.paused.at)}</p>`
      : nothing}
    ${ended && !ended.passed && ended.failed && !run.paused ? html`<p class="say">${rich(ended.failed)}</p>` : nothing}
    ${!ended ? html`<p class="say">${say("page ended")}</p>` : nothing}
    <p class="refused" role="status">${acts.refused}</p></div>
    <div class="actions">
      ${run.readonly || !run.mission ? nothing : html`<button type="button" class="main" data-do="resume"
        @click=${acts.resume}>${run.completed ? say("page anew") : say("page resume")}</button>`}
      <a class="button" href="#" data-do="list">${say("page list")}</a>
    </div>`;
}

/** @param {Run} run */
function helped(run) {
  const steps = run.completed.helped ?? [];
  return steps.length ? html`<p>${say("page helped", steps.join(", "))}</p>` : nothing;
}
