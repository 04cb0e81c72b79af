// @ts-check
// The picture of one machine's screen: a noVNC viewer on a websocket that comes back. Each connection is one viewer,
// since RFB begins anew with each; while the machine is off, labrun keeps the connection waiting.
import RFB from "../npm/novnc/core/rfb.js";
import { say } from "./phrases.js";
import { Socket } from "./socket.js";

/** One connection of a Socket, as noVNC wants it: like an open WebSocket. */
class Channel {
  binaryType = "arraybuffer";
  protocol = "";
  readyState = "open";
  onopen = () => {};
  onerror = () => {};
  /** @type {(event: { code: number, reason: string }) => void} */
  onclose = () => {};
  /** @type {(event: { data: ArrayBuffer }) => void} */
  onmessage = () => {};

  /** @param {Socket} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  send(data) {
    this.socket.send(data);
  }

  close() {
    this.readyState = "closed";
  }
}

export class Screen {
  /** @type {Channel | undefined} */
  #channel;
  /** @type {RFB | undefined} */
  #viewer;
  /** @type {Map<string, string>} keys that are down at the picture, by their place */
  #down = new Map();
  /** Whether a picture is there. */
  shown = false;
  /** @type {import("./socket.js").State} */
  state = "connecting";

  /**
   * @param {string} machine
   * @param {HTMLElement} element where the picture is shown
   * @param {object} options
   * @param {string} options.base the session's address
   * @param {boolean} options.readonly
   * @param {() => void} options.changed the picture has come or gone
   */
  constructor(machine, element, { base, readonly, changed }) {
    this.machine = machine;
    this.element = element;
    this.readonly = readonly;
    this.changed = changed;
    this.socket = new Socket({
      address: () => `${base}/screens/${encodeURIComponent(machine)}`,
      message: (data) => this.#channel?.onmessage({ data: /** @type {ArrayBuffer} */ (data) }),
      state: (state) => {
        this.state = state;
        this.#end();
        if (state === "open") this.#begin();
        changed();
      },
    });
  }

  #begin() {
    this.#channel = new Channel(this.socket);
    const viewer = new RFB(this.element, this.#channel);
    this.#viewer = viewer;
    viewer.scaleViewport = true;
    viewer.viewOnly = this.readonly;
    viewer.focusOnClick = !this.readonly;
    viewer.background = "transparent";
    viewer.addEventListener("connect", () => {
      if (viewer !== this.#viewer) return;
      this.shown = true;
      this.rename();
      if (!this.readonly) this.#watch(/** @type {HTMLCanvasElement} */ (this.canvas));
      // Who waited here for the machine goes on at its keyboard.
      if (document.activeElement === this.element) this.focus();
      this.changed();
    });
  }

  #end() {
    const channel = this.#channel;
    const here = this.element.contains(document.activeElement);
    this.#channel = this.#viewer = undefined;
    this.#down.clear();
    this.shown = false;
    if (channel) {
      channel.readyState = "closed";
      channel.onclose({ code: 1000, reason: "" }); // the viewer takes its canvas away
    }
    if (here) this.element.focus();
  }

  /** The picture; null while there is none: noVNC makes its canvas before. */
  get canvas() {
    return this.shown ? this.element.querySelector("canvas") : null;
  }

  /** Names the picture in the present language. */
  rename() {
    const canvas = this.canvas;
    if (!canvas) return;
    canvas.setAttribute("role", this.readonly ? "img" : "application");
    canvas.setAttribute("aria-label", say(this.readonly ? "page picture of" : "page picture label", this.machine));
    canvas.tabIndex = this.readonly ? -1 : 0;
  }

  /**
   * Has the guest know that a key is up again when whoever holds it goes elsewhere: noVNC hears only what happens at its
   * canvas.
   * @param {HTMLCanvasElement} canvas
   */
  #watch(canvas) {
    canvas.addEventListener("keydown", (event) => this.#down.set(event.code, event.key), true);
    canvas.addEventListener("keyup", (event) => this.#down.delete(event.code), true);
    canvas.addEventListener("blur", () => {
      for (const [code, key] of [...this.#down]) canvas.dispatchEvent(new KeyboardEvent("keyup", { code, key }));
    });
  }

  focus() {
    (this.canvas ?? this.element).focus();
  }

  /** Presses Ctrl, Alt and Del together, which a browser's own computer keeps for itself. */
  restart() {
    this.#viewer?.sendCtrlAltDel();
  }

  dispose() {
    this.socket.close();
    this.#end();
  }
}
