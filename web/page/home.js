// @ts-check
// The list of missions: what there is, how far the student is, and a button for each that begins or goes on.
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { get, post } from "./api.js";
import { confirm } from "./dialogs.js";
import { keep } from "./keep.js";
import { language, say, speak } from "./phrases.js";
import { openLab } from "./route.js";
import { languageSelect, themeButton } from "./top.js";

/**
 * @typedef {object} Mission
 * @property {string} name
 * @property {string} title
 * @property {number} minutes
 * @property {number} steps
 * @property {number} done
 * @property {boolean} finished
 * @property {string[]} languages
 * @property {string} session of the run that is under way; empty: none
 * @property {string} refused why it cannot be started here
 */

export class Home {
  starting = ""; // a mission
  /** @type {Map<string, string>} what went wrong, by mission */
  errors = new Map();

  /**
   * @param {HTMLElement} element
   * @param {{ version: string, languages: { tag: string, name: string }[], readonly: boolean, student: string, missions: Mission[], hub: string }} home
   */
  constructor(element, home) {
    this.element = element;
    this.home = home;
    this.draw = this.draw.bind(this);
    this.visible = () => document.visibilityState === "visible" && this.refresh();
    document.addEventListener("visibilitychange", this.visible);
    this.draw();
  }

  async refresh() {
    this.home = await get("api/home").catch(() => this.home);
    this.draw();
  }

  draw() {
    render(html`
      <header id="top"><span class="brand"><span aria-hidden="true">❯_</span> labrun</span>
        ${this.home.student ? html`<span class="dim" data-student>${this.home.student}</span>` : nothing}<span class="gap"></span>
        ${languageSelect(this.home.languages, (tag) => this.speak(tag))} ${themeButton(this.draw)}</header>
      <main id="missions">
        <h1>${say("page missions")}</h1>
        <p class="lead">${say("page missions how")}</p>
        ${this.home.hub ? html`<p><a href=${this.home.hub} data-do="hub">${say("page hub")}</a>
          <span class="dim">${say("page hub what")}</span></p>` : nothing}
        <ul>${this.home.missions.map((mission) => this.#card(mission))}</ul>
        <p><a href="machine.html">${say("page pc title")}</a> <span class="dim">${say("page pc what")}</span></p>
        <footer class="dim">labrun ${this.home.version}</footer>
      </main>`, this.element);
  }

  /** @param {Mission} m */
  #card(m) {
    const begun = m.done > 0 && !m.finished;
    const error = this.errors.get(m.name) || m.refused;
    const name = m.session ? "page open" : m.finished ? "page again" : begun ? "page go on" : "page start";
    return html`<li class="mission" data-mission=${m.name}>
      <div class="about"><h2>${m.title}</h2>
        <p class="dim">${[m.name, say("page steps of", m.steps), m.minutes ? say("page about minutes", m.minutes) : ""]
          .filter(Boolean).join(" · ")}
          ${m.session ? html`<span class="badge">${say("page running")}</span>` : nothing}
          ${m.finished ? html`<span class="badge good">${say("page finished")}</span>` : nothing}</p>
        ${begun ? html`<p class="progress"><progress max=${m.steps} value=${m.done} aria-label=${say("page progress")}></progress>
          ${say("page done of", m.done, m.steps)}</p>` : nothing}
        ${error ? html`<p class="error" role="alert">${error}</p>` : nothing}
        ${this.starting === m.name ? html`<p role="status" class="working">${say("page starting")}</p>` : nothing}</div>
      <div class="actions">
        ${this.home.readonly && !m.session ? nothing : html`<button type="button" class="main" data-do="start"
          ?disabled=${Boolean(m.refused || this.starting)} @click=${() => this.start(m, m.finished)}>${say(name)}</button>`}
        ${begun && !m.session && !this.home.readonly ? html`<button type="button" data-do="anew" ?disabled=${Boolean(this.starting)}
          @click=${() => this.anew(m)}>${say("page anew")}</button>` : nothing}
        ${m.session && !this.home.readonly ? html`<button type="button" data-do="stop" ?disabled=${Boolean(this.starting)}
          @click=${() => this.stop(m)}>${say("page stop")}</button>` : nothing}
      </div></li>`;
  }

  /**
   * @param {Mission} m
   * @param {boolean} anew
   */
  async start(m, anew) {
    if (m.session) {
      openLab(m.session);
      return;
    }
    await this.#act(m, async () => {
      const { session } = await post("api/start", { mission: m.name, language: language(), anew });
      openLab(session);
    });
  }

  /** @param {Mission} m */
  async anew(m) {
    if (await confirm(say("page sure anew", m.done), say("page anew"))) await this.start(m, true);
  }

  /** @param {Mission} m */
  async stop(m) {
    if (!(await confirm(say("page sure quit"), say("page yes quit")))) return;
    await this.#act(m, async () => {
      await post("api/stop", { session: m.session });
      await this.refresh();
    });
  }

  /**
   * @param {Mission} m
   * @param {() => Promise<void>} act
   */
  async #act(m, act) {
    this.starting = m.name;
    this.errors.delete(m.name);
    this.draw();
    try {
      await act();
    } catch (error) {
      this.errors.set(m.name, /** @type {Error} */ (error).message);
    }
    this.starting = "";
    this.draw();
  }

  /** @param {string} tag */
  async speak(tag) {
    keep("language", tag);
    await speak(tag);
    await this.refresh();
  }

  dispose() {
    document.removeEventListener("visibilitychange", this.visible);
  }
}
