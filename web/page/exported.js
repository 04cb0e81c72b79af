// @ts-check
// A mission that labrun has exported: all of its machines live in this page, wired together here, and its text and what is
// to be typed is as labrun has heard it when it played the mission. Nothing is checked: only what a check of the mission's
// would look for on a console is marked when it is there.
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { unsafeHTML } from "../npm/lit-html/directives/unsafe-html.js";
import { FitAddon } from "../npm/xterm/addon-fit.mjs";
import { Terminal } from "../npm/xterm/xterm.mjs";
import { keep } from "./keep.js";
import { say, speak } from "./phrases.js";
import { languageSelect, themeButton } from "./top.js";

/** @typedef {{ kind: "boot" | "login" | "type" | "see" | "check" | "say" | "other", machine?: string, text: string, html?: string }} Item */
/** @typedef {{ name: string, state: string, mac: string, network: string, setup: string }} Described */
/**
 * @typedef {object} Mission
 * @property {string} title
 * @property {string} language
 * @property {Described[]} machines
 * @property {{ title: string, html: string, items: Item[] }[]} steps
 */

const settled = "labrun-is-set-up"; // says a control shell that has done what it was told
const encoder = new TextEncoder(), decoder = new TextDecoder();

/** A machine in this page, with its console. */
class Machine {
  on = false;
  said = ""; // by its console, in this step
  failed = "";
  #heard = ""; // from its control shell

  /**
   * @param {Described} described
   * @param {Exported} page
   */
  constructor(described, page) {
    this.described = described;
    this.page = page;
    this.terminal = new Terminal({ convertEol: false, fontSize: 13, scrollback: 2000, theme: { background: "#16191d" } });
    this.fit = new FitAddon();
    this.terminal.loadAddon(this.fit);
    this.terminal.onData((keys) => this.#send("0", encoder.encode(keys)));
    this.worker = new Worker(new URL("resident.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#hear(new Uint8Array(data));
    this.worker.postMessage({ page: document.baseURI });
  }

  /** @param {Element} place */
  show(place) {
    if (this.terminal.element) return;
    this.terminal.open(/** @type {HTMLElement} */ (place));
    this.fit.fit();
    this.terminal.textarea?.setAttribute("aria-label", say("page console label", this.described.name));
  }

  /**
   * @param {string} kind
   * @param {Uint8Array} [payload]
   */
  #send(kind, payload = new Uint8Array()) {
    const message = new Uint8Array(1 + payload.length);
    message[0] = kind.charCodeAt(0);
    message.set(payload, 1);
    this.worker.postMessage(message.buffer, [message.buffer]);
  }

  power() {
    if (this.on) this.#send("o");
    else this.#send("p", encoder.encode(JSON.stringify(this.described)));
    this.on = !this.on;
    this.failed = "";
    this.terminal.reset();
    this.page.draw();
  }

  /** @param {string} line */
  type(line) {
    this.terminal.focus();
    this.#send("0", encoder.encode(`${line}\r`));
  }

  /** @param {Uint8Array} frame of Ethernet, from another machine */
  receive(frame) {
    if (this.on) this.#send("e", frame);
  }

  /** @param {Uint8Array<ArrayBuffer>} message */
  #hear(message) {
    const payload = message.subarray(1);
    switch (String.fromCharCode(message[0])) {
      case "u":
        this.terminal.write(payload);
        this.#send("1", encoder.encode(`date -u -s @${Math.floor(Date.now() / 1000)} >/dev/null; ${this.described.setup}; echo ${settled}\n`));
        break;
      case "1":
        this.#heard += decoder.decode(payload);
        if (this.#heard.includes(settled)) {
          this.#heard = "";
          this.#send("0", encoder.encode("\r")); // the prompt once more, with the machine's own name
        }
        break;
      case "0":
        this.terminal.write(payload);
        this.said += decoder.decode(payload, { stream: true }).replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
        this.page.later();
        break;
      case "e":
        this.page.forward(this, payload);
        break;
      case "d":
        this.on = false;
        this.failed = decoder.decode(payload);
        this.page.draw();
    }
  }
}

class Exported {
  at = 0;
  #drawing = 0;

  /**
   * @param {HTMLElement} element
   * @param {Mission} mission
   * @param {{ tag: string, name: string }[]} languages
   */
  constructor(element, mission, languages) {
    this.element = element;
    this.mission = mission;
    this.languages = languages;
    this.draw = this.draw.bind(this);
    this.machines = new Map(mission.machines.map((m) => [m.name, new Machine(m, this)]));
    this.draw();
  }

  /**
   * Passes a frame on to all other machines of its network.
   * @param {Machine} from
   * @param {Uint8Array} frame
   */
  forward(from, frame) {
    for (const machine of this.machines.values()) {
      if (machine !== from && machine.described.network === from.described.network) machine.receive(frame);
    }
  }

  /** Draws soon, once for all that is printed meanwhile. */
  later() {
    this.#drawing ||= setTimeout(this.draw, 100);
  }

  draw() {
    clearTimeout(this.#drawing);
    this.#drawing = 0;
    document.title = this.mission.title;
    const { steps } = this.mission, step = steps[this.at];
    render(html`
      <header id="top"><span class="brand"><span aria-hidden="true">❯_</span> labrun</span><h1>${this.mission.title}</h1><span class="gap"></span>
        ${languageSelect(this.languages, (tag) => this.speak(tag))} ${themeButton(this.draw)}</header>
      <main id="exported">
        <div id="text" lang=${this.mission.language}>
          <h2 tabindex="-1">${this.at + 1}/${steps.length} ${step.title}</h2>
          <div class="prose">${unsafeHTML(step.html)}</div>
          <ol>${step.items.map((item) => html`<li>${this.#item(item)}</li>`)}</ol>
          <div class="actions">
            <button type="button" id="back" ?disabled=${this.at === 0} @click=${() => this.go(-1)}>${say("page exported back")}</button>
            <button type="button" id="next" class="main" ?disabled=${this.at + 1 === steps.length} @click=${() => this.go(1)}>${say("page exported next")}</button>
          </div>
          <p class="dim" lang=${document.documentElement.lang}>${say("page exported honest")}</p>
        </div>
        <div id="machines">${[...this.machines.values()].map((machine) => this.#machine(machine))}</div>
      </main>`, this.element);
    for (const [name, machine] of this.machines) {
      machine.show(/** @type {Element} */ (this.element.querySelector(`[data-terminal="${CSS.escape(name)}"]`)));
    }
  }

  /** @param {Item} item */
  #item(item) {
    const machine = this.machines.get(item.machine ?? "");
    switch (item.kind) {
      case "boot":
        return html`${say("page exported boot", item.machine ?? "")} ${machine?.on ? nothing : html`<button type="button" class="inline"
          @click=${() => machine?.power()}>${say("page pc start")}</button>`}`;
      case "login":
        return say("page exported login", item.machine ?? "", item.text);
      case "type":
        return html`${item.machine}: <code>${item.text}</code> <button type="button" class="inline" ?disabled=${!machine?.on}
          @click=${() => machine?.type(item.text)}>${say("page type")}</button>`;
      case "see":
        return html`${say("page exported see")} <code>${item.text}</code> ${[...this.machines.values()].some((m) => m.said.includes(item.text))
          ? html`<span class="seen">${say("page exported seen")}</span>` : nothing}`;
      case "check":
        return say("page exported check", item.text);
      case "say":
        return html`<div class="prose">${unsafeHTML(item.html ?? "")}</div>`;
      default:
        return item.text;
    }
  }

  /** @param {Machine} machine */
  #machine(machine) {
    const { name } = machine.described;
    return html`<section data-console=${name}><h3>${name}
        <button type="button" data-power=${name} @click=${() => machine.power()}>${say(machine.on ? "page pc off" : "page pc start")}</button></h3>
      ${machine.failed ? html`<p class="error" role="alert">${say("page pc broken", machine.failed)}</p>` : nothing}
      <div class="screen" data-terminal=${name}></div></section>`;
  }

  /** @param {number} by */
  go(by) {
    this.at += by;
    for (const machine of this.machines.values()) machine.said = "";
    this.draw();
    /** @type {HTMLElement | null} */ (this.element.querySelector("h2"))?.focus();
  }

  /** @param {string} tag */
  async speak(tag) {
    keep("language", tag);
    await speak(tag);
    this.draw();
  }
}

const fetched = async (/** @type {string} */ name) => (await fetch(name)).json();
const [mission, languages] = await Promise.all([fetched("mission.json"), fetched("phrases/languages.json")]);
await speak(mission.language);
const page = /** @type {HTMLElement} */ (document.querySelector("#page"));
page.replaceChildren();
Object.assign(window, { labrun: new Exported(page, mission, languages) });
