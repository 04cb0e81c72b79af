// @ts-check
// A lab: the guide beside its consoles. Two connections' worth of state and no more: the run, folded from its events, and
// what is looked at.
//
// For tests and other programs, these do not change:
//   #guide                       the guide; [data-shown="3"] in it is the step whose text is shown
//   #now                         what to do now; data-verb and data-number are the instruction's
//   [data-step="3"]              a step in the list, with data-state: ahead, replaying, here, done, skipped, left, begun, changed
//   [data-shown="board"]         the board; [data-goto="2"], with data-state, and [data-reset="2"] are its challenges
//   [data-word="hint"]           a button that says a word to the guide; restart has data-machine, too
//   #answer                      the form of a question: inputs named "answer", a submit button
//   [data-do="go"|"type"|"copy"|"enter"|"resume"|"list"]   the card's other buttons
//   .hint, .missed, .refused     hints, why it is not done, why a word was not taken
//   [data-tab="debian"], [data-tab="network"], #split      what is shown beside the guide
//   [data-console="debian"]      a console, with data-state: connecting, open, waiting, over, gone; .send is its line
//   [data-picture="debian"]      the picture of a screen: a canvas is in it while there is one; [data-view="picture"|"text"]
//                                switch, [data-do="cad"] and [data-do="function"] press keys
//   #connection                  data-state: connecting, open, waiting, over, login, gone
//   #language, #theme, #share, #help, #settings, #panes button    what they say
//   window.labrun.consoles.get("debian").terminal          its xterm.js terminal
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { get, post } from "./api.js";
import { Consoles } from "./consoles.js";
import { copy } from "./console.js";
import { confirm, help, settings, share } from "./dialogs.js";
import { divider } from "./divider.js";
import { apply, Run } from "./fold.js";
import { guide } from "./guide.js";
import { keep } from "./keep.js";
import { shortcuts } from "./keys.js";
import { News } from "./news.js";
import { language, say, speak } from "./phrases.js";
import { openLab } from "./route.js";
import { Socket } from "./socket.js";
import { top } from "./top.js";

/** A mission's name without folder and ending: runs have a file's name, the list what the user named. @param {string} name */
const stem = (name) => name.replace(/^.*\//, "").replace(/\.star$/, "");

export class Lab {
  run = new Run();
  #told = this.run; // what a connection tells, from the beginning
  looked = 0; // the step that is looked at; 0: the present one
  refused = "";
  busy = false;
  pane = "guide"; // on a narrow screen: guide, consoles, network
  /** @type {Map<number, string>} */
  drafts = new Map();
  /** @type {Map<number, (refused?: string) => void>} words that were said and not answered yet */
  #said = new Map();
  #sent = 0;
  #drawing = 0;
  #number = 0; // of the instruction that was shown last
  #language = ""; // of the run
  #news = ""; // below what is to do, shown last

  /**
   * @param {HTMLElement} element
   * @param {string} session
   * @param {{ languages: { tag: string, name: string }[], hub: string }} home
   */
  constructor(element, session, home) {
    this.element = element;
    this.home = home;
    this.base = `api/sessions/${encodeURIComponent(session)}`;
    this.news = new News(element);
    this.draw = this.draw.bind(this);
    render(this.#view(), element);
    const place = /** @type {HTMLElement} */ (element.querySelector("#work"));
    this.consoles = new Consoles(place, this.base, this.run, this.draw);
    /** @type {any} */ (window).labrun = this; // for tests
    this.stopKeys = shortcuts(this);
    this.ticking = setInterval(() => this.run.asked || this.run.ended || this.draw(), 1000); // seconds that pass
    this.socket = new Socket({
      address: () => `${this.base}/guide`,
      message: (data) => this.#message(JSON.parse(/** @type {string} */ (data))),
      state: (state) => {
        if (state === "open") this.#told = new Run(); // all is told again
        else for (const answered of [...this.#said.values()]) answered(say("page connection lost"));
        this.draw();
      },
    });
    this.draw();
  }

  /** What the consoles are, by machine. */
  get state() {
    return this.socket?.state ?? "connecting";
  }

  /** @param {any} e */
  #message(e) {
    if (e.event === "reply") {
      this.#said.get(e.id)?.(e.refused);
      return;
    }
    apply(this.#told, e);
    this.news.hear(e);
    this.#later();
  }

  /** Draws soon, once for all events that are there. */
  #later() {
    this.#drawing ||= setTimeout(this.draw, 15);
  }

  draw() {
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    if (this.#told.session) this.run = this.#told; // until then all that was seen stays
    if (this.run.language && this.run.language !== this.#language) {
      this.#language = this.run.language; // somebody has switched it, maybe in another browser
      this.#speak(this.#language);
    }
    const asked = this.run.asked;
    if (asked && asked.number !== this.#number) {
      this.#number = asked.number;
      this.refused = "";
      // The console that it is about is shown, but not to somebody who is at work at another one, or watches the network
      // while labrun does something there: the card has a button that goes to the console.
      const busy = this.consoles.shown === "network" || document.activeElement?.closest("[data-console]");
      if (asked.console && !busy) this.consoles.shown = asked.console;
    }
    if (this.run.title) document.title = `${this.run.title} – labrun`;
    const before = document.activeElement;
    const atCard = before?.closest("#now");
    render(this.#view(), this.element);
    this.consoles.draw(this.run);
    this.#enhance();
    this.#scroll();
    // Whoever sat at a button that is gone now stays at the card, and is not sent to the page's beginning.
    if (atCard && !before?.isConnected) /** @type {HTMLElement | null} */ (this.element.querySelector("#now"))?.focus();
  }

  #view() {
    return html`
      <a class="skip" href="#now" @click=${this.toGuide}>${say("page skip to now")}</a>
      ${top(this)}
      <main id="lab" data-pane=${this.pane}>
        <section id="guide" aria-label=${say("page guide")}>${
          guide(this.run, /** @type {any} */ (this), this.looked, (index) => this.look(index))}</section>
        ${divider()}
        <section id="work" aria-label=${say("page consoles")}></section>
      </main>
      <nav id="panes" aria-label=${say("page panes")}>${["guide", "consoles", "network"].map((pane) => html`<button type="button"
        data-pane=${pane} aria-pressed=${this.pane === pane} @click=${() => this.turn(pane)}>${say(`page ${pane}`)}</button>`)}</nav>`;
  }

  /** Gives code in texts a button that copies it. */
  #enhance() {
    for (const pre of this.element.querySelectorAll("#guide pre:not(.block):not([data-copy])")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = say("page copy");
      button.onclick = () => this.copy(pre.querySelector("code")?.textContent?.trimEnd() ?? "");
      /** @type {HTMLElement} */ (pre).dataset.copy = "";
      pre.append(button);
    }
  }

  /** Shows a new step's beginning, and what is new in its story and below what is to do. */
  #scroll() {
    const news = `${this.run.asked?.number} ${this.run.hints.length} ${this.run.missed?.time} ${this.refused}`;
    if (news !== this.#news) {
      this.#news = news;
      const body = this.element.querySelector("#now .body");
      const last = this.refused ? ".refused" : this.run.missed ? ".missed" : ".hint:last-child";
      if (body) body.querySelector(last)?.scrollIntoView({ block: "nearest" });
    }
    const reading = this.element.querySelector(".reading");
    if (!reading) return;
    const step = this.looked || this.run.at;
    const length = this.run.steps[step - 1]?.story.length ?? 0;
    const before = this.scrolled;
    this.scrolled = { step, length };
    if (before?.step !== step) reading.querySelector(".text")?.scrollIntoView({ block: "start" });
    else if (before.length !== length) reading.querySelector(".entry:last-child")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} pane */
  turn(pane) {
    this.pane = pane;
    if (pane === "network") this.consoles.show("network");
    else if (pane === "consoles" && this.consoles.shown === "network") {
      this.consoles.show(this.run.asked?.console || this.consoles.names()[0] || "");
    }
    this.draw();
  }

  /** Goes to what is to do now. */
  toGuide = (/** @type {Event | undefined} */ event) => {
    event?.preventDefault();
    if (this.pane === "network") this.turn("guide");
    const all = /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll("#now :is(input, button)"));
    [...all].find((element) => element.checkVisibility())?.focus(); // a narrow screen does without some
  };

  /** @param {number} index */
  look(index) {
    this.looked = index;
    this.draw();
  }

  // What the card and texts have done: see Acts in now.js.

  may() {
    if (this.run.readonly || this.state !== "open") return [];
    // What is asked was told before the teacher was invited, perhaps.
    const { invited, asked } = this.run;
    return (asked?.may ?? []).map((/** @type {string} */ word) => (["invite", "alone"].includes(word) ? (invited ? "alone" : "invite") : word));
  }

  /** The JupyterHub that lets in; empty: a key does. */
  get hub() {
    return this.home.hub;
  }

  machines() {
    return [...this.run.machines.keys()];
  }

  names() {
    return this.consoles.names();
  }

  changed() {
    this.draw();
  }

  /** @param {string} machine */
  go(machine) {
    this.pane = "consoles";
    this.consoles.go(machine);
  }

  /**
   * @param {string} machine
   * @param {string} text
   * @param {boolean} enter
   */
  type(machine, text, enter) {
    this.pane = "consoles";
    this.consoles.type(machine, text, enter);
  }

  /** @param {string} text */
  copy(text) {
    copy(text).then((done) => this.news.say(done ? say("page copied") : say("page not copied")));
  }

  /**
   * Says a word to the guide. What cannot be taken back is asked about first.
   * @param {string} word
   * @param {string} [text]
   */
  async word(word, text = "") {
    if (word === "text") { // the page's own
      this.turn("guide");
      this.look(0);
      this.element.querySelector(".text")?.scrollIntoView({ block: "start" });
      return;
    }
    if (word === "redo" && this.may().includes("leave")) word = "reset"; // of a challenge
    const sure = ["redo", "restart", "quit", "skip"].includes(word); // labrun itself asks about others
    if (sure && !(await confirm(say(`page sure ${word}`, text), say(`page yes ${word}`)))) return;
    if (word === "restart" && !text && this.machines().length === 1) text = this.machines()[0];
    this.busy = true;
    this.refused = "";
    this.draw();
    this.refused = (await this.#tell(word, text, this.run.asked?.number ?? 0)) ?? "";
    this.busy = false;
    if (this.refused) this.news.say(this.refused);
    this.draw();
  }

  /**
   * @param {string} word
   * @param {string} text
   * @param {number} number
   * @returns {Promise<string | undefined>} why it is refused
   */
  #tell(word, text, number) {
    return new Promise((resolve) => {
      const id = ++this.#sent;
      this.#said.set(id, (refused) => {
        this.#said.delete(id);
        resolve(refused);
      });
      if (!this.socket.send(JSON.stringify({ id, word, text, for: number }))) this.#said.get(id)?.(say("page connection lost"));
    });
  }

  /** @param {string} tag */
  async #speak(tag) {
    if (tag !== language()) await speak(tag);
    this.consoles.prefer();
    for (const button of this.element.querySelectorAll("button.copy")) button.textContent = say("page copy");
    this.draw();
  }

  /** @param {string} tag */
  async speak(tag) {
    keep("language", tag);
    await this.#speak(tag);
    if (!this.run.readonly && !this.run.ended) {
      const refused = await this.#tell("language", tag, 0);
      if (refused) this.news.say(refused);
    }
  }

  /** Starts the mission again, where the student stopped. */
  resume = async () => {
    this.busy = true;
    this.draw();
    try {
      const anew = Boolean(this.run.completed);
      const { missions } = await get("api/home");
      const mission = missions.find((/** @type {{ name: string }} */ m) => stem(m.name) === stem(this.run.mission))?.name;
      const { session } = await post("api/start", { mission, language: language(), anew });
      openLab(session);
    } catch (error) {
      this.refused = /** @type {Error} */ (error).message;
      this.news.say(this.refused);
      this.busy = false;
      this.draw();
    }
  };

  help() {
    help();
  }

  /** Shows a link for watching this lab. */
  async share() {
    try {
      const { url } = await get(`api/watch?session=${encodeURIComponent(this.run.session)}`);
      share(new URL(url, document.baseURI).href, (text) => this.copy(text));
    } catch (error) {
      this.news.say(/** @type {Error} */ (error).message);
    }
  }

  settings() {
    settings(() => this.consoles.prefer());
  }

  dispose() {
    clearTimeout(this.#drawing);
    clearInterval(this.ticking);
    this.socket.close();
    this.stopKeys();
    this.consoles.dispose();
    this.news.dispose();
    render(nothing, this.element);
  }
}
