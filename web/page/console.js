// @ts-check
// A console, a machine's own or another one of it: an xterm.js terminal on a websocket that continues where it stopped.
//
// Binary messages, the first byte is the kind. From labrun: 'o' the console's number (4 bytes), its position after this
// (8), output; 'n' a note, JSON. To labrun: 'i' keys; 'r' the size, JSON; 'a' the position that was shown (8). labrun
// sends no more than 128 KiB ahead of what was acknowledged, so nothing piles up here, however much a guest prints.
import { Terminal } from "../npm/xterm/xterm.mjs";
import { FitAddon } from "../npm/xterm/addon-fit.mjs";
import { Unicode11Addon } from "../npm/xterm/addon-unicode11.mjs";
import { ClipboardAddon } from "../npm/xterm/addon-clipboard.mjs";
import { WebLinksAddon } from "../npm/xterm/addon-web-links.mjs";
import { kept, size } from "./keep.js";
import { say } from "./phrases.js";
import { Socket } from "./socket.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The colours of all consoles, dark in either theme: programs choose theirs for a dark screen. */
const colours = {
  background: "#16191d", foreground: "#e4e7ea", cursor: "#e4e7ea", cursorAccent: "#16191d",
  selectionBackground: "#3d5a80", black: "#2b3036", red: "#f07178", green: "#8bd17c", yellow: "#e6c45c",
  blue: "#7aa9f7", magenta: "#c792ea", cyan: "#6cc7d1", white: "#d3d8de", brightBlack: "#7d8792",
  brightRed: "#ff8f95", brightGreen: "#a6e39a", brightYellow: "#f5d98a", brightBlue: "#a3c4ff",
  brightMagenta: "#ddb6f5", brightCyan: "#97e0e8", brightWhite: "#ffffff",
};

const fonts = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK TC", ' +
  '"Noto Sans TC", "PingFang TC", "Microsoft JhengHei", monospace';

/** The guest may set the clipboard (OSC 52), as programs with a copy command do. It never reads it. */
const clipboard = {
  readText: async () => "",
  /**
   * @param {string} selection
   * @param {string} text
   */
  writeText: async (selection, text) => {
    if (selection === "c" && document.hasFocus()) await navigator.clipboard?.writeText(text);
  },
};

/** Undoes what a guest has set, and leaves what it has said: another screen, modes of keys and mouse, colours. */
const forget = "\x1b[?47l\x1b[?1;9;1000;1002;1003;1006;2004l\x1b[!p\x1b[m\r\n";

/** Copies a text, and tells whether that went well. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // not over https, or not allowed: as pages did before
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export class Console {
  #boot = -1; // which console of the machine
  #position = 0; // of what was received of it
  #fresh = true; // the terminal is at the beginning of a line
  #opened = false;
  #dropped = false; // keys, since the connection was lost
  /** @type {Uint8Array<ArrayBuffer>[]} keys that wait for the connection */
  #waiting = [];

  /**
   * @param {string} machine the console's name
   * @param {HTMLElement} element where the terminal is shown
   * @param {object} options
   * @param {string} options.base the session's address
   * @param {boolean} options.readonly
   * @param {boolean} options.screen it is the text of a machine's screen, which has its own size
   * @param {() => void} options.changed something besides the screen has changed: state, last note
   */
  constructor(machine, element, { base, readonly, screen, changed }) {
    this.machine = machine;
    this.element = element;
    this.base = base;
    this.readonly = readonly;
    this.screen = screen;
    this.changed = changed;
    /** @type {import("./socket.js").State} */
    this.state = "connecting";
    this.note = "";
    this.terminal = new Terminal({
      allowProposedApi: true, // unicode versions
      cols: 80, rows: screen ? 25 : 24, scrollback: 5000, cursorBlink: false, disableStdin: readonly,
      fontFamily: fonts, fontSize: Number(size()), lineHeight: 1.15, minimumContrastRatio: 4.5,
      screenReaderMode: kept("reader", "off") === "on", theme: colours, macOptionIsMeta: false,
    });
    this.fitter = new FitAddon();
    this.terminal.loadAddon(this.fitter);
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = "11";
    this.terminal.loadAddon(new ClipboardAddon(undefined, clipboard));
    // The addon answers who asks for the clipboard; the answer would be typed at a shell that did not.
    this.terminal.parser.registerOscHandler(52, (data) => data.endsWith("?"));
    this.terminal.loadAddon(new WebLinksAddon((_, address) => open(address, "_blank", "noopener,noreferrer")));
    this.terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    this.terminal.onData((text) => this.#keys(encoder.encode(text)));
    this.terminal.onBinary((text) => this.#keys(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    this.terminal.onResize(() => this.#tellSize());
  }

  /** Opens the terminal where it is shown first, and connects. */
  start() {
    if (!this.#opened) {
      this.#opened = true;
      this.terminal.open(this.element);
      this.rename();
      this.fit();
      this.resizing = new ResizeObserver(() => requestAnimationFrame(() => this.fit()));
      this.resizing.observe(this.element);
    }
    this.connect();
  }

  /** Connects, if it has not: a terminal that nobody sees hears what is said, too, and can be typed at. */
  connect() {
    this.socket ??= new Socket({
      address: () => {
        const at = this.#boot < 0 ? "" : `?boot=${this.#boot}&from=${this.#position}`;
        return `${this.base}/consoles/${this.machine.split("/").map(encodeURIComponent).join("/")}${at}`;
      },
      message: (data) => this.#message(new Uint8Array(/** @type {ArrayBuffer} */ (data))),
      state: (state) => {
        this.state = state;
        if (state === "open") {
          this.#dropped = false;
          this.#tellSize();
          for (const keys of this.#waiting.splice(0)) this.socket?.send(keys);
        } else if (state === "over" || state === "gone") {
          this.#say(say("viewer over"));
        }
        this.changed();
      },
    });
  }

  /** Names the terminal in the present language. */
  rename() {
    this.terminal.textarea?.setAttribute("aria-label", say("page console label", this.machine));
  }

  /** Fits the terminal to its place, if it has one now. */
  fit() {
    if (!this.screen && this.element.clientWidth > 0 && this.element.clientHeight > 0) this.fitter.fit();
  }

  /** Takes over what the user chose: text size, a screen reader's mode. */
  prefer() {
    this.terminal.options.fontSize = Number(size());
    this.terminal.options.screenReaderMode = kept("reader", "off") === "on";
    this.fit();
  }

  /** Lets keys be typed here, or not. @param {boolean} may */
  allow(may) {
    if (this.readonly === !may) return;
    this.readonly = !may;
    this.terminal.options.disableStdin = !may;
  }

  focus() {
    this.terminal.focus();
  }

  /**
   * Types lines; Enter after the last one, too, if it is wanted.
   * @param {string} text
   * @param {boolean} enter
   */
  type(text, enter) {
    this.terminal.scrollToBottom();
    this.#keys(encoder.encode(text.replace(/\r?\n/g, "\r") + (enter ? "\r" : "")));
  }

  /** @param {Uint8Array<ArrayBuffer>} keys */
  #keys(keys) {
    if (this.readonly) return;
    const message = new Uint8Array(1 + keys.length);
    message[0] = 0x69; // i
    message.set(keys, 1);
    if (this.socket?.send(message)) return;
    // What is typed before the first connection waits for it. Later it is lost, and that is said: nobody knows what the
    // machine shows by the time there is a connection again, and a line meant for one prompt could answer another.
    if (this.#boot < 0) {
      if (this.#waiting.length < 100) this.#waiting.push(message);
    } else if (!this.#dropped && !["over", "gone"].includes(this.state)) {
      this.#dropped = true;
      this.#show(say("page console dropped"));
    }
  }

  #tellSize() {
    if (this.screen) return;
    const { cols: columns, rows } = this.terminal;
    this.socket?.send(encoder.encode("r" + JSON.stringify({ columns, rows })));
  }

  /** @param {Uint8Array} data */
  #message(data) {
    const view = new DataView(data.buffer, data.byteOffset);
    if (data[0] === 0x6e) { // n
      const note = JSON.parse(decoder.decode(data.subarray(1)));
      const known = this.#boot >= 0 && ["welcome", "watching"].includes(note.name) && note.text === this.note;
      if (!known) this.#say(note.text);
      return;
    }
    if (data[0] !== 0x6f) return;
    const boot = view.getUint32(1);
    const position = view.getBigUint64(5);
    if (boot !== this.#boot) {
      // Another console: what the one before has set is undone, what it said stays above.
      if (this.#boot >= 0) this.terminal.write(forget);
      this.#boot = boot;
    }
    this.#position = Number(position);
    const output = data.subarray(13);
    const socket = this.socket;
    if (output.length) this.#fresh = output[output.length - 1] === 0x0a;
    this.terminal.write(output, () => {
      const acknowledged = new Uint8Array(9);
      acknowledged[0] = 0x61; // a
      new DataView(acknowledged.buffer).setBigUint64(1, position);
      socket?.send(acknowledged);
    });
  }

  /**
   * Shows a note of labrun's on a line of its own.
   * @param {string} text
   */
  #say(text) {
    this.note = text;
    this.#show(text);
    this.changed();
  }

  /** @param {string} text */
  #show(text) {
    if (this.terminal.buffer.active.type === "normal") {
      this.terminal.write(`${this.#fresh ? "" : "\r\n"}\x1b[38;5;110m[labrun: ${text}]\x1b[39m\r\n`);
      this.#fresh = true;
    }
  }

  /**
   * Keys that are the page's and not the guest's. False: the terminal does nothing with it.
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (event.type !== "keydown" || !event.ctrlKey || event.altKey) return true;
    if (event.shiftKey && event.code === "KeyC") {
      event.preventDefault();
      const selected = this.terminal.getSelection();
      if (selected) copy(selected).then(() => this.focus());
      return false;
    }
    return !(event.shiftKey && event.code === "KeyV"); // the browser pastes
  }

  dispose() {
    this.socket?.close();
    this.resizing?.disconnect();
    this.terminal.dispose();
  }
}
