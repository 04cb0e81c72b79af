// @ts-check
// The consoles of a lab: one at a time or all together, and the network beside them. A machine with a screen has its
// picture, or its text in a terminal as the others.
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { repeat } from "../npm/lit-html/directives/repeat.js";
import { Console } from "./console.js";
import { confirm } from "./dialogs.js";
import { keep, kept } from "./keep.js";
import { language, say } from "./phrases.js";

/** Where there is room for one console only. */
const narrow = matchMedia("(max-width: 860px)");

/** What a terminal sends for the keys that a touch screen lacks. */
const keys = { Tab: "\t", Esc: "\x1b", "Ctrl-C": "\x03", "Ctrl-D": "\x04", "↑": "\x1b[A", "↓": "\x1b[B", "←": "\x1b[D", "→": "\x1b[C" };
const functionKeys = ["OP", "OQ", "OR", "OS", "[15~", "[17~", "[18~", "[19~", "[20~", "[21~", "[23~", "[24~"].map((code) => `\x1b${code}`);

export class Consoles {
  /** @type {Map<string, Console>} */
  #consoles = new Map();
  /** @type {Map<string, import("./screen.js").Screen>} */
  #screens = new Map();
  /** @type {typeof import("./screen.js").Screen | undefined} */
  #Screen;
  #fetching = false;
  /** @type {Map<string, Worker>} those that hold a machine, or would */
  #residents = new Map();
  /** @type {Set<string>} the machines that have a place in this page */
  #held = new Set();
  #view = kept("screen", ""); // picture, text; empty: as it fits
  shown = ""; // the console, or "network"
  #split = kept("split", "off") === "on";
  /** @type {{ draw(): void, dispose(): void } | undefined} the network, once it was opened */
  #network;
  #opening = false;

  /**
   * @param {HTMLElement} element
   * @param {string} base the session's address
   * @param {import("./fold.js").Run} run
   * @param {() => void} changed what is shown has changed
   */
  constructor(element, base, run, changed) {
    this.element = element;
    this.base = base;
    this.run = run;
    this.changed = changed;
    narrow.addEventListener("change", changed);
  }

  /** All consoles are shown together. */
  get all() {
    return this.#split && !narrow.matches;
  }

  /** @param {string} name */
  get(name) {
    return this.#consoles.get(name);
  }

  names() {
    return this.run.consoles();
  }

  /**
   * Draws the tabs and panels for the run as it stands.
   * @param {import("./fold.js").Run} run
   */
  draw(run) {
    this.run = run;
    const names = this.names();
    if (this.shown !== "network" && !names.includes(this.shown)) this.shown = names[0] ?? "";
    render(this.#draw(names), this.element);
    for (const name of names) {
      if (run.console(name).browser && !this.#residents.has(name)) this.#residents.set(name, this.#hold(name));
      const place = /** @type {HTMLElement} */ (this.element.querySelector(`[data-terminal="${CSS.escape(name)}"]`));
      let console = this.#consoles.get(name);
      if (!console) {
        const { base } = this;
        const { screen } = run.console(name);
        console = new Console(name, place, { base, readonly: this.#readonly(name), screen, changed: () => this.changed() });
        this.#consoles.set(name, console);
      }
      console.allow(!this.#readonly(name));
      if (!this.#visible(name)) continue;
      if (this.#pictured(name)) this.#picture(name, console);
      else if (place.clientWidth > 0) console.start();
    }
  }

  /** Offers this page as the place of a machine. @param {string} name */
  #hold(name) {
    const worker = new Worker(new URL("resident.js", import.meta.url), { type: "module" });
    const address = new URL(`${this.base}/places/${encodeURIComponent(name)}`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    worker.onmessage = ({ data }) => {
      if (data) this.#held.add(name);
      else this.#held.delete(name);
      this.changed();
    };
    worker.postMessage({ address: address.href, page: document.baseURI });
    return worker;
  }

  /** Whether a machine's picture is shown, and not its text. @param {string} name */
  #pictured(name) {
    const fits = narrow.matches || kept("reader", "off") === "on" ? "text" : "picture";
    return this.run.console(name).screen && (this.#view || fits) === "picture";
  }

  /**
   * Opens a machine's picture. Its console hears what labrun says of the machine, and takes what is typed for it.
   * @param {string} name
   * @param {Console} console
   */
  #picture(name, console) {
    const place = /** @type {HTMLElement} */ (this.element.querySelector(`[data-picture="${CSS.escape(name)}"]`));
    console.connect();
    if (this.#Screen && !this.#screens.has(name)) {
      const { base } = this;
      this.#screens.set(name, new this.#Screen(name, place, { base, readonly: this.run.readonly, changed: () => this.changed() }));
    } else if (!this.#Screen && !this.#fetching) { // the viewer is large, and few labs need it
      this.#fetching = true;
      import("./screen.js").then((module) => {
        this.#Screen = module.Screen;
        if (this.element.isConnected) this.changed();
      }, () => this.view("text"));
    }
  }

  /**
   * Shows the pictures of screens, or their text.
   * @param {string} view
   */
  view(view) {
    this.#view = view;
    keep("screen", view);
    this.changed();
    this.#focus(this.shown);
  }

  /** Whether one can only look on there. @param {string} name */
  #readonly(name) {
    const { readonly, teacher, invited } = this.run;
    return (readonly && !(teacher && invited)) || this.run.console(name).played;
  }

  /** Why one can only look on. @param {boolean} played */
  #looking(played) {
    if (played) return say("page played console");
    return this.run.teacher ? say("page class looking") : say("page watching console");
  }

  /** @param {string} name */
  #focus(name) {
    if (this.#pictured(name)) this.#screens.get(name)?.focus();
    else this.#consoles.get(name)?.focus();
  }

  /** @param {string} name */
  #visible(name) {
    return this.shown !== "network" && (this.all || this.shown === name);
  }

  /** @param {string[]} names */
  #draw(names) {
    const network = this.shown === "network";
    return html`
      <div class="tabs" role="toolbar" aria-label=${say("page consoles")}>
        ${repeat(names, (name) => name, (name) => this.#tab(name))}
        <span class="gap"></span>
        ${names.length > 1 ? html`<button type="button" class="tab quiet" id="split" aria-pressed=${this.all && !network}
          @click=${() => this.split()}>${say("page split")}</button>` : nothing}
        <button type="button" class="tab quiet" data-tab="network" aria-pressed=${network}
          @click=${() => this.show("network")}>${say("page network")}</button>
      </div>
      <div class="panels ${this.all && !network ? "all" : ""}" ?hidden=${network}>
        ${repeat(names, (name) => name, (name) => this.#panel(name))}
      </div>
      <div class="network-panel" id="network" role="region" aria-label=${say("page network")} ?hidden=${!network}></div>`;
  }

  /** @param {string} name */
  #tab(name) {
    const machine = this.run.console(name);
    const here = this.run.asked?.console === name;
    return html`<button type="button" class="tab ${here ? "here" : ""}" data-tab=${name}
        aria-pressed=${this.#visible(name)} @click=${() => this.go(name)}>
      <span class="lamp ${machine.on ? "on" : ""}" aria-hidden="true"></span>${name}
      <span class="hidden">${machine.on ? say("page on") : say("page off")}</span>
      ${this.#held.has(name) ? html`<span class="now" data-held=${name}>${say("page held")}</span>` : nothing}
      ${here ? html`<span class="now">${say("page now")}</span>` : nothing}</button>`;
  }

  /** @param {string} name */
  #panel(name) {
    const console = this.#consoles.get(name);
    const { screen, played } = this.run.console(name);
    const lost = console && ["waiting", "connecting"].includes(console.state) && console.socket;
    return html`<section class="console" data-console=${name} data-state=${console?.state ?? "connecting"}
        aria-label=${say("page console of", name)} ?hidden=${!this.#visible(name)}
        data-active=${this.shown === name} @focusin=${() => this.#sit(name)}>
      ${this.all ? html`<h3>${name}</h3>` : nothing}
      ${screen ? this.#screen(name) : nothing}
      <div class="screen ${screen ? "text" : ""}" data-terminal=${name} ?hidden=${this.#pictured(name)}></div>
      ${screen ? this.#views(name) : nothing}
      ${this.#readonly(name) ? html`<p class="line">${this.#looking(played)}</p>` : this.#line(name)}
      ${lost ? html`<p class="lost" role="status">${say("page console lost")}</p>` : nothing}
    </section>`;
  }

  /**
   * The place of a machine's picture, and why there is none.
   * @param {string} name
   */
  #screen(name) {
    const pictured = this.#pictured(name);
    const console = this.#consoles.get(name);
    const shown = this.#screens.get(name)?.shown;
    /** @param {KeyboardEvent} event */
    const enter = (event) => {
      if (event.key === "Enter" && event.target === event.currentTarget) console?.type("", true);
    };
    return html`<div class="picture" data-picture=${name} tabindex=${shown || this.run.readonly ? "-1" : "0"} ?hidden=${!pictured}
        role="group" aria-label=${say("page picture of", name)} @keydown=${enter}></div>
      ${pictured && !shown ? html`<p class="dark">${console?.note || say("page picture none", name)}</p>` : nothing}`;
  }

  /**
   * How a machine's screen is shown, and keys that browsers keep for themselves.
   * @param {string} name
   */
  #views(name) {
    const pictured = this.#pictured(name);
    const screen = this.#screens.get(name);
    const { readonly } = this.run;
    const restart = async () => {
      if (await confirm(say("page sure cad", name), "Ctrl-Alt-Del")) screen?.restart();
    };
    /** @param {Event} event */
    const press = (event) => {
      const select = /** @type {HTMLSelectElement} */ (event.target);
      this.#consoles.get(name)?.type(select.value, false);
      select.value = "";
    };
    return html`<div class="views" role="toolbar" aria-label=${say("page screen of", name)}>
      ${["picture", "text"].map((view) => html`<button type="button" data-view=${view}
        aria-pressed=${(view === "picture") === pictured} @click=${() => this.view(view)}>${say(`page view ${view}`)}</button>`)}
      <span class="gap"><span class="leave">${readonly ? nothing : say("page picture leave")}</span></span>
      ${readonly ? nothing : html`<select data-do="function" aria-label=${say("page function keys")} @change=${press}>
          <option value="">F1 … F12</option>${functionKeys.map((code, i) => html`<option value=${code}>F${i + 1}</option>`)}</select>
        <button type="button" data-do="cad" ?disabled=${!pictured || !screen?.shown} @click=${restart}>Ctrl-Alt-Del</button>`}
    </div>`;
  }

  /**
   * A line to type in, for input methods and touch screens.
   * @param {string} name
   */
  #line(name) {
    /** @param {Event} event */
    const send = (event) => {
      event.preventDefault();
      const input = /** @type {HTMLInputElement} */ (/** @type {HTMLFormElement} */ (event.target).elements[0]);
      this.#consoles.get(name)?.type(input.value, true);
      input.value = "";
    };
    return html`<form class="line" lang=${language()} @submit=${send}>
      <input class="send" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="send"
        aria-label=${say("page line label", name)} placeholder=${say("page line")}>
      <button type="submit">${say("page send")}</button>
      <span class="keys">${Object.entries(keys).map(([label, key]) => html`<button type="button"
        @click=${() => this.#consoles.get(name)?.type(key, false)}>${label}</button>`)}</span>
    </form>`;
  }

  /**
   * Somebody is at a console, one of several.
   * @param {string} name
   */
  #sit(name) {
    if (this.shown === name) return;
    this.shown = name;
    this.changed();
  }

  /** Shows all consoles together, or one. */
  split() {
    this.#split = this.shown === "network" || !this.#split;
    if (this.shown === "network") this.shown = this.names()[0] ?? "";
    keep("split", this.#split ? "on" : "off");
    this.changed();
  }

  /**
   * Shows a machine's console, or the network.
   * @param {string} name
   */
  show(name) {
    this.shown = name;
    this.changed();
    if (name === "network" && !this.#opening) {
      this.#opening = true;
      const place = /** @type {HTMLElement} */ (this.element.querySelector("#network"));
      import("./network.js").then((module) => {
        if (place.isConnected) this.#network = module.network(place, this.base, say);
      }, (error) => {
        this.#opening = false;
        place.textContent = say("page no network", String(error));
      });
    }
  }

  /**
   * Shows a machine's console and sits down at it.
   * @param {string} name
   */
  go(name) {
    this.show(name);
    this.#focus(name);
  }

  /**
   * Types at a console, which is shown.
   * @param {string} name
   * @param {string} text
   * @param {boolean} enter
   */
  type(name, text, enter) {
    this.go(name);
    this.#consoles.get(name)?.type(text, enter);
  }

  /** What the user prefers has changed. */
  prefer() {
    for (const console of this.#consoles.values()) {
      console.prefer();
      console.rename();
    }
    for (const screen of this.#screens.values()) screen.rename();
    this.#network?.draw();
  }

  dispose() {
    for (const worker of this.#residents.values()) worker.terminate();
    narrow.removeEventListener("change", this.changed);
    for (const console of this.#consoles.values()) console.dispose();
    for (const screen of this.#screens.values()) screen.dispose();
    this.#network?.dispose();
  }
}
