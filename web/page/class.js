// @ts-check
// The teacher's view of a course: where the students are, who is stuck or asks for help, which hints are taken, and the way
// into each lab that is under way. All of it is one answer of the server's, asked for again every few seconds.
//
// For tests and other programs, these do not change: #class, #mission, #show, [data-figure], [data-step], [data-student],
// [data-do="look"].
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { get } from "./api.js";
import { keep, kept } from "./keep.js";
import { duration, say, speak } from "./phrases.js";
import { languageSelect, themeButton } from "./top.js";

/** @typedef {{ number: number, console?: string, what: string, since: string, hints?: number, missed?: string }} Asked */
/**
 * @typedef {object} Student
 * @property {string} student
 * @property {string} account whose process said that it is them
 * @property {string} mission
 * @property {boolean} live
 * @property {string} [door] the session in which one can look on
 * @property {string} heard
 * @property {string} [ended] finished, stopped, failed
 * @property {number} at
 * @property {string} [step]
 * @property {string} [since]
 * @property {number} done
 * @property {number} steps
 * @property {Asked} [asked]
 * @property {boolean} [stuck]
 * @property {boolean} [invited]
 * @property {number} hints
 * @property {number} missed
 * @property {number} helped
 * @property {string} [handed] when they handed something in
 */
/** @typedef {{ title: string, here: number, stuck: number, done: number, median?: number, hints: number, missed: number, helped: number }} Step */
/** @typedef {{ step: number, what: string, level: number, text: string, students: number }} Hint */
/** @typedef {{ mission: string, title: string, students: number, live: number, finished: number, steps: Step[], hints?: Hint[] }} Mission */
/**
 * @typedef {{ students: [string, string], mistakes?: { step: number, what: string, said: string }[], pauses: number, alike: number,
 *   together: number }} Similar
 */
/** @typedef {{ at: string, missions: Mission[], students: Student[] }} Overview */

/** How often it is asked for, in milliseconds, while somebody looks at it. */
const every = 3000;

export class Class {
  /** @type {Overview | undefined} */
  overview;
  error = "";
  news = ""; // for screen readers
  /** @type {Set<string> | undefined} who asks for help */
  #calling;
  #mission = kept("class mission", "");
  /** @type {{ mission: string, pairs: Similar[] } | undefined} what was asked for last */
  #similar;
  #show = "all";

  /**
   * @param {HTMLElement} element
   * @param {{ version: string, languages: { tag: string, name: string }[], hub: string }} home
   */
  constructor(element, home) {
    this.element = element;
    this.home = home;
    this.draw = this.draw.bind(this);
    this.refresh = this.refresh.bind(this);
    this.visible = () => document.visibilityState === "visible" && this.refresh();
    document.addEventListener("visibilitychange", this.visible);
    this.draw();
    this.refresh();
  }

  async refresh() {
    clearTimeout(this.#timer);
    try {
      this.overview = await get("api/class");
      this.error = "";
      shared = new Set(/** @type {Overview} */ (this.overview).students.map((s) => s.account).filter((a) => a !== "(handed in)")).size < 2;
    } catch (error) {
      const { status, message } = /** @type {{ status?: number, message: string }} */ (error);
      if (status === 401 && this.home.hub && this.overview) {
        location.reload(); // the hub lets in again whoever is logged in there
        return;
      }
      this.error = status === 401 ? message : say("page class lost");
    }
    if (this.#disposed) return;
    this.#announce();
    this.draw();
    clearTimeout(this.#timer);
    if (document.visibilityState === "visible") this.#timer = setTimeout(this.refresh, every);
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #disposed = false;

  /** Tells a screen reader who has begun to ask for help. */
  #announce() {
    const calling = new Set(this.overview?.students.filter((s) => s.invited).map(name));
    const before = this.#calling;
    if (before) {
      const fresh = [...calling].filter((who) => !before.has(who));
      if (fresh.length) this.news = say("page class calls", fresh.join(", "));
    }
    this.#calling = calling;
  }

  draw() {
    document.title = `${say("page class")} – labrun`;
    const mission = this.overview?.missions.find((m) => m.mission === this.#mission) ?? busiest(this.overview?.missions ?? []);
    render(html`
      <header id="top"><span class="brand"><span aria-hidden="true">❯_</span> labrun</span><h1>${say("page class")}</h1>
        <span class="gap"></span>
        ${languageSelect(this.home.languages, (tag) => this.speak(tag))} ${themeButton(this.draw)}</header>
      <main id="class">
        <p class="hidden" role="status">${this.news}</p>
        ${this.error ? html`<p class="error" role="alert">${this.error}</p>` : nothing}
        ${!this.overview ? nothing : mission ? this.#about(mission) : html`<p class="lead">${say("page class nobody")}</p>`}
        <footer class="dim"><p class="kept">${say("page class kept")}</p><p>labrun ${this.home.version}</p></footer>
      </main>`, this.element);
  }

  /** @param {Mission} m */
  #about(m) {
    const { missions, students, at } = /** @type {Overview} */ (this.overview);
    const theirs = students.filter((s) => s.mission === m.mission);
    /** @param {Event} event */
    const choose = (event) => {
      this.#mission = /** @type {HTMLSelectElement} */ (event.target).value;
      keep("class mission", this.#mission);
      this.draw();
    };
    const figures = /** @type {[string, number][]} */ ([["students", m.students], ["live", m.live],
      ["calls", theirs.filter((s) => s.invited).length], ["stuck", theirs.filter((s) => s.stuck).length], ["finished", m.finished]]);
    return html`
      <section aria-labelledby="class-mission">
        <div class="choose">
          <h2 id="class-mission">${m.title}</h2>
          ${missions.length > 1 ? html`<label>${say("page class mission")} <select id="mission" @change=${choose}>
            ${missions.map((other) => html`<option value=${other.mission} ?selected=${other === m}>${other.title}</option>`)}
          </select></label>` : nothing}
        </div>
        <ul class="figures">${figures.map(([what, n]) => html`<li data-figure=${what}
          class=${n && what === "calls" ? "call" : n && what === "stuck" ? "stuck" : ""}>
          <strong>${n}</strong> <span class="dim">${say(`page class figure ${what}`)}</span></li>`)}</ul>
      </section>
      <section aria-labelledby="class-steps"><h2 id="class-steps">${say("page steps")}</h2>${steps(m)}</section>
      <section aria-labelledby="class-students">
        <div class="choose"><h2 id="class-students">${say("page class students")}</h2>${this.#filter()}</div>
        ${this.#students(theirs, Date.parse(at))}
      </section>
      ${m.hints?.length ? html`<section aria-labelledby="class-hints"><h2 id="class-hints">${say("page class hints")}</h2>${
        hints(m)}</section>` : nothing}
      <section aria-labelledby="class-similar"><h2 id="class-similar">${say("page class similar")}</h2>
        <p class="kept">${say("page class similar how")}</p>
        ${this.#similar?.mission === m.mission ? similar(this.#similar.pairs, m) : html`<button type="button" data-do="similar"
          @click=${() => this.#compare(m)}>${say("page class similar find")}</button>`}</section>`;
  }

  /** @param {Mission} m */
  async #compare(m) {
    try {
      const { similar: pairs } = await get(`api/class/similar?mission=${encodeURIComponent(m.mission)}`);
      this.#similar = { mission: m.mission, pairs: pairs ?? [] };
    } catch (error) {
      this.error = /** @type {Error} */ (error).message;
    }
    this.draw();
  }

  #filter() {
    /** @param {Event} event */
    const choose = (event) => {
      this.#show = /** @type {HTMLSelectElement} */ (event.target).value;
      this.draw();
    };
    return html`<label>${say("page class show")} <select id="show" @change=${choose}>
      ${["all", "calls", "stuck", "live"].map((what) => html`<option value=${what} ?selected=${what === this.#show}>${
        say(`page class show ${what}`)}</option>`)}</select></label>`;
  }

  /**
   * @param {Student[]} students
   * @param {number} now
   */
  #students(students, now) {
    const wanted = { all: () => true, calls: (/** @type {Student} */ s) => s.invited, stuck: (/** @type {Student} */ s) => s.stuck,
      live: (/** @type {Student} */ s) => s.live };
    const shown = students.filter(/** @type {Record<string, (s: Student) => unknown>} */ (wanted)[this.#show] ?? wanted.all)
      .sort((a, b) => rank(a) - rank(b)); // which keeps the order of names
    if (!shown.length) return html`<p class="dim">${say("page class none")}</p>`;
    return html`<div class="table" tabindex="0" role="group" aria-labelledby="class-students"><table>
      <thead><tr>${["student", "state", "step", "since", "done", "hints", "missed", "helped", "look"].map((column) => html`
        <th scope="col" class=${["since", "done", "hints", "missed", "helped"].includes(column) ? "number" : ""}>${
          say(`page class column ${column}`)}</th>`)}</tr></thead>
      <tbody>${shown.map((s) => html`<tr data-student=${s.student}>
        <th scope="row">${name(s)}</th>
        <td>${state(s)}</td>
        <td>${s.at ? say("page challenge", s.at, s.step ?? "") : "–"}
          ${s.live && s.asked ? html`<p class="asked">${s.asked.what}${s.asked.missed ? html`<br><span class="missed">${
            say("not yet", s.asked.missed)}</span>` : nothing}</p>` : nothing}</td>
        <td class="number">${s.live && s.since ? duration((now - Date.parse(s.since)) / 1000) : say("page class heard", ago(s, now))}</td>
        <td class="number">${s.done} / ${s.steps}</td>
        <td class="number">${s.hints}</td><td class="number">${s.missed}</td><td class="number">${s.helped}</td>
        <td>${s.door ? html`<a class="button" data-do="look" href="#lab/${s.door}"
          aria-label=${say(s.invited ? "page class help of" : "page class look of", name(s))}>${
            s.invited ? say("page class help") : say("page class look")}</a>` : nothing}</td>
      </tr>`)}</tbody></table></div>`;
  }

  /** @param {string} tag */
  async speak(tag) {
    keep("language", tag);
    await speak(tag);
    this.draw();
  }

  dispose() {
    this.#disposed = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.visible);
  }
}

let shared = true; // all students have one account

/** Who it is; whose process said so, if that is called otherwise, and could be. @param {Student} s */
const name = (s) => (shared || s.account === "(handed in)" || s.student === s.account ? s.student : say("page class account", s.student, s.account));

/** When something was last heard of a student. @param {Student} s @param {number} now */
const ago = (s, now) => duration(Math.max(0, now - Date.parse(s.heard)) / 1000);

/** Those who need somebody come first. @param {Student} s */
function rank(s) {
  if (s.invited) return 0;
  if (s.stuck) return 1;
  return s.live && !s.ended ? 2 : s.ended === "finished" ? 4 : 3;
}

/** @param {Mission[]} missions @returns {Mission | undefined} */
function busiest(missions) {
  return [...missions].sort((a, b) => b.live - a.live || b.students - a.students)[0];
}

/** @param {Student} s */
function state(s) {
  const badge = (/** @type {string} */ what, kind = "") => html`<span class="badge ${kind}">${say(`page class state ${what}`)}</span> `;
  let how = badge("away", "away");
  if (s.ended) how = badge(s.ended, s.ended === "finished" ? "good" : "away");
  else if (s.live) how = badge("live");
  return html`${s.invited ? badge("calls") : nothing}${s.stuck ? badge("stuck", "stuck") : how}${
    s.handed ? badge("handed", "good") : nothing}`;
}

/** @param {Mission} m */
function steps(m) {
  return html`<div class="table" tabindex="0" role="group" aria-labelledby="class-steps"><table>
    <thead><tr>${["step", "here", "stuck", "did", "median", "hints", "missed", "helped"].map((column) => html`
      <th scope="col" class=${column === "step" ? "" : "number"}>${say(`page class column ${column}`)}</th>`)}</tr></thead>
    <tbody>${m.steps.map((s, i) => html`<tr data-step=${i + 1}>
      <th scope="row">${say("page challenge", i + 1, s.title)}<span class="share" aria-hidden="true"><span
        .style=${`width: ${m.students ? (100 * s.done) / m.students : 0}%`}></span></span></th>
      <td class="number">${s.here}</td>
      <td class="number">${s.stuck ? html`<span class="badge stuck">${s.stuck}</span>` : 0}</td>
      <td class="number">${s.done}</td>
      <td class="number">${s.median ? duration(s.median) : "–"}</td>
      <td class="number">${s.hints}</td><td class="number">${s.missed}</td><td class="number">${s.helped}</td></tr>`)}</tbody>
  </table></div>`;
}

/**
 * @param {Similar[]} pairs
 * @param {Mission} m
 */
function similar(pairs, m) {
  if (!pairs.length) return html`<p class="dim" role="status">${say("page class similar none")}</p>`;
  return html`<div class="table" tabindex="0" role="group" aria-labelledby="class-similar"><table>
    <thead><tr>${["pair", "shared", "pauses", "together"].map((column) => html`<th scope="col" class=${
      ["pauses", "together"].includes(column) ? "number" : ""}>${say(`page class column ${column}`)}</th>`)}</tr></thead>
    <tbody>${pairs.map((p) => html`<tr data-pair=${p.students.join(" ")}><th scope="row">${say("page class pair", ...p.students)}</th>
      <td>${(p.mistakes ?? []).map((e) => html`<p>${say("page challenge", e.step, m.steps[e.step - 1]?.title ?? "")}: ${e.said}</p>`)}</td>
      <td class="number">${p.alike} / ${p.pauses}</td><td class="number">${p.together}</td></tr>`)}</tbody>
  </table></div>`;
}

/** @param {Mission} m */
function hints(m) {
  return html`<div class="table" tabindex="0" role="group" aria-labelledby="class-hints"><table>
    <thead><tr><th scope="col" class="number">${say("page class column students")}</th><th scope="col">${say("page class column hint")}</th>
      <th scope="col">${say("page class column asked")}</th></tr></thead>
    <tbody>${(m.hints ?? []).map((h) => html`<tr><td class="number">${h.students}</td>
      <td>${h.text}</td>
      <td>${say("page challenge", h.step, m.steps[h.step - 1]?.title ?? "")}<p class="asked">${h.what}</p></td></tr>`)}</tbody>
  </table></div>`;
}
