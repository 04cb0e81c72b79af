// @ts-check
// What is new, said politely to a screen reader, and shown for a moment where it is an answer to a click.
import { say, sentences } from "./phrases.js";

let number = 0; // of the challenge that began last; 0: it was a step

/** What of an event is said; events that are not here are not news. @type {Record<string, (e: any) => string>} */
const words = {
  step_started: (e) => {
    number = e.challenge ?? 0;
    if (e.replayed) return "";
    return number ? say("challenge", number, e.challenges, e.title) : say("step", e.index, e.total, e.title);
  },
  step_ended: (e) => {
    if (e.error || e.away) return "";
    const name = e.passed ? (e.skipped ? "step skipped" : "step done") : "step left";
    return number ? say(`${name} challenge`, number) : say(name, e.index);
  },
  board: (e) => say("board", e.solved, e.challenges.length),
  instructed: (e) => (e.known && e.verb !== "stay" ? "" : [e.say, e.goal, e.block].filter(Boolean).join(" ")),
  missed: (e) => say("not yet", e.reason),
  hinted: (e) => say("hint", e.level, e.of, e.text),
  told: (e) => e.text,
  answered: (e) => (e.verdict ? say({ right: "right", wrong: "wrong" }[/** @type {string} */ (e.verdict)] ?? "noted") : ""),
  paused: (e) => (e.board ? say("page kept board") : say("page kept", e.at)),
};

export class News {
  /** @type {string[]} */
  #kept = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} page */
  constructor(page) {
    this.live = document.createElement("div");
    this.live.className = "hidden";
    this.live.id = "news";
    this.live.setAttribute("aria-live", "polite");
    this.toast = document.createElement("div");
    this.toast.className = "toast";
    this.toast.id = "toast";
    this.toast.popover = "manual"; // above dialogs, where browsers can do that
    this.toast.hidden = true;
    page.after(this.live, this.toast);
  }

  /**
   * Says an event, together with those that come at the same time. Of many, as after a reload, only the last are news.
   * @param {any} e
   */
  hear(e) {
    const text = words[e.event]?.(e);
    if (!text) return;
    this.#kept = [...this.#kept, text.replaceAll("`", "")].slice(-3);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.live.textContent = sentences(...this.#kept.splice(0));
    }, 300);
  }

  /** Shows a short answer to something that the user did. @param {string} text */
  say(text) {
    this.toast.textContent = this.live.textContent = text;
    this.toast.hidden = false;
    this.toast.hidePopover?.();
    this.toast.showPopover?.();
    clearTimeout(this.fading);
    this.fading = setTimeout(() => {
      this.toast.hidden = true;
    }, 4000);
  }

  dispose() {
    clearTimeout(this.#timer);
    clearTimeout(this.fading);
    this.live.remove();
    this.toast.remove();
  }
}
