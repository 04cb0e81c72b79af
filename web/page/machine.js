// @ts-check
// A page of its own in which a PC boots disk images of the user's. Nothing leaves the browser: the page's own policy
// lets it speak to nobody but the server it came from, and all that it asks that for is the page's files.
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { complaint, look, Unfit } from "./disks.js";
import { keep, kept } from "./keep.js";
import { biosDigest, emulator, NoBIOS, switchOn } from "./pc.js";
import { language, say, speak } from "./phrases.js";
import { isSaved, pack, state, unpack } from "./saved.js";
import { languageSelect, themeButton } from "./top.js";

const sizes = [16, 32, 64, 128, 256, 512, 1024]; // MiB of memory
const slots = /** @type {Record<string, string>} */ ({ floppy: "fda", disk: "hda", cd: "cdrom" });

/** @param {number} bytes */
const inUnits = (bytes) => (bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`);

class MachinePage {
  /** @type {import("./disks.js").Disk[]} */
  disks = [];
  /** @type {{ file: File, about: import("./saved.js").About, from: number } | null} */
  saved = null;
  memory = 64;
  error = "";
  status = "";
  explained = ""; // a complaint of the screen's that was told
  running = true; // not paused
  /** @type {any} the PC, when it is on */
  pc = null;
  over = false; // a file is held above the page

  /**
   * @param {HTMLElement} element
   * @param {{ tag: string, name: string }[]} languages
   */
  constructor(element, languages) {
    this.element = element;
    this.languages = languages;
    this.draw = this.draw.bind(this);
    addEventListener("error", (event) => this.broken(event.message));
    addEventListener("unhandledrejection", (event) => this.broken(String(event.reason?.message ?? event.reason)));
    addEventListener("resize", () => this.fit());
    document.addEventListener("fullscreenchange", () => this.fit());
    this.draw();
  }

  draw() {
    document.title = say("page pc title");
    render(html`
      <header id="top"><span class="brand"><span aria-hidden="true">❯_</span> labrun</span><span class="gap"></span>
        ${languageSelect(this.languages, (tag) => this.speak(tag))} ${themeButton(this.draw)}</header>
      <main id="pc">
        <h1>${say("page pc title")}</h1>
        ${this.pc ? nothing : html`<p class="lead">${say("page pc how")}</p>`}
        ${this.#input()}
        ${this.disks.length || this.saved ? html`<ul id="disks" aria-label=${say("page pc disks")}>${this.#saved()}${this.disks.map((disk) =>
          this.#disk(disk))}</ul>` : nothing}
        ${this.error ? html`<p class="error" role="alert">${this.error}</p>` : nothing}
        ${this.pc ? this.#controls() : this.#starter()}
        <div id="monitor" ?hidden=${!this.pc} tabindex="0" role="application" aria-label=${say("page pc screen")}
          @focus=${() => this.#listen(true)} @blur=${() => this.#listen(false)} @keydown=${this.keys}><div id="screen"><div></div><canvas></canvas></div></div>
        ${this.pc ? html`<p class="dim">${say("page pc keys")}</p>${this.#line()}` : nothing}
        <p class="dim">${say("page pc limits")}</p>
      </main>`, this.element);
  }

  #input() {
    return html`<label id="drop" class=${this.over ? "over" : ""} @dragover=${this.hover} @dragleave=${this.hover} @drop=${this.dropped}>
      <span>${say(this.pc ? "page pc insert" : "page pc drop")}</span>
      <input type="file" multiple @change=${(/** @type {Event} */ event) => {
        const input = /** @type {HTMLInputElement} */ (event.target);
        const files = [...(input.files ?? [])];
        input.value = "";
        this.take(files);
      }}></label>`;
  }

  #saved() {
    if (!this.saved) return nothing;
    return html`<li><span class="name">${this.saved.file.name}</span><span class="badge">${say("page pc saved one")}</span>
      ${this.pc ? nothing : html`<button type="button" @click=${() => {
        this.saved = null;
        this.draw();
      }}>${say("page pc take out")}</button>`}</li>`;
  }

  /** @param {import("./disks.js").Disk} disk */
  #disk(disk) {
    return html`<li data-drive=${disk.drive}><span class="name">${disk.file.name}</span> <span class="dim">${inUnits(disk.file.size)}</span>
      <span class="badge">${say(`page pc ${disk.drive}`)}</span>
      ${this.pc && disk.drive === "disk" ? nothing : html`<button type="button" aria-label=${say("page pc take out of", disk.file.name)}
        @click=${() => this.takeOut(disk)}>${say("page pc take out")}</button>`}
      ${this.pc || this.saved ? nothing : disk.notes.map((note) => html`<span class="note">${say(note)}</span>`)}</li>`;
  }

  #starter() {
    return html`<div class="how">
      ${this.saved ? nothing : html`<label>${say("page pc memory")} <select id="memory" @change=${(/** @type {Event} */ event) => {
        this.memory = Number(/** @type {HTMLSelectElement} */ (event.target).value);
      }}>${sizes.map((size) => html`<option value=${size} ?selected=${size === this.memory}>${size} MiB</option>`)}</select></label>`}
      <button type="button" class="main" id="start" ?disabled=${Boolean(this.status) || !(this.disks.length || this.saved)}
        @click=${() => this.start()}>${say(this.saved ? "page pc go on" : "page pc start")}</button>
      <span role="status">${this.status}</span></div>`;
  }

  #controls() {
    return html`<div class="how" role="toolbar" aria-label=${say("page pc controls")}>
      <button type="button" id="pause" @click=${() => this.pause()}>${say(this.running ? "page pc pause" : "page pc continue")}</button>
      <button type="button" id="restart" @click=${() => this.pc.restart()}>${say("page pc restart")}</button>
      <button type="button" @click=${() => this.pc.keyboard_send_scancodes([0x1d, 0x38, 0x53, 0x9d, 0xb8, 0xd3])}>Ctrl+Alt+Del</button>
      <button type="button" @click=${() => this.mouse()}>${say("page pc mouse")}</button>
      <button type="button" @click=${() => this.#monitor().requestFullscreen()}>${say("page pc full")}</button>
      <button type="button" id="save" ?disabled=${Boolean(this.status)} @click=${() => this.save()}>${say("page pc save")}</button>
      <button type="button" id="off" @click=${() => this.off()}>${say("page pc off")}</button>
      <span role="status">${this.status}</span></div>`;
  }

  #line() {
    return html`<form class="below" @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      const input = /** @type {HTMLInputElement} */ (/** @type {HTMLElement} */ (event.target).querySelector("input"));
      this.pc.keyboard_send_text(`${input.value}\n`, 10);
      input.value = "";
    }}><input class="send" type="text" autocapitalize="off" autocomplete="off" aria-label=${say("page pc line")} placeholder=${say("page pc line")}>
      <button type="submit">${say("page send")}</button></form>`;
  }

  #monitor() {
    return /** @type {HTMLElement} */ (this.element.querySelector("#monitor"));
  }

  /** @param {boolean} on whether keys are the PC's */
  #listen(on) {
    this.pc?.keyboard_set_enabled(on);
    this.pc?.mouse_set_enabled(on);
  }

  /** Ctrl+] leaves the screen, as it leaves a console. */
  keys = (/** @type {KeyboardEvent} */ event) => {
    if (!event.ctrlKey || event.key !== "]") return;
    event.preventDefault();
    event.stopPropagation(); // v86 listens at the window
    this.pc.keyboard_send_scancodes([0x9d]); // Ctrl is let go elsewhere
    document.exitPointerLock?.();
    /** @type {HTMLElement | null} */ (this.element.querySelector("#pause"))?.focus();
  };

  hover = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    const over = event.type === "dragover";
    if (over !== this.over) {
      this.over = over;
      this.draw();
    }
  };

  dropped = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    this.over = false;
    this.take([...(event.dataTransfer?.files ?? [])]);
  };

  /**
   * Takes files that were dropped or chosen: disks, or a PC that was saved.
   * @param {File[]} files
   */
  async take(files) {
    this.error = "";
    for (const file of files) {
      try {
        if (await isSaved(file)) await this.#takeSaved(file);
        else await this.#insert(await look(file));
      } catch (error) {
        if (error instanceof Unfit) this.error = say(error.message, ...error.about);
        else this.error = say("page pc unreadable", file.name, /** @type {Error} */ (error).message);
      }
    }
    this.draw();
  }

  /** @param {File} file */
  async #takeSaved(file) {
    const { about, from } = await unpack(file);
    if (about.emulator !== emulator || about.bios !== (await biosDigest())) throw new Unfit("page pc other", file.name, about.emulator);
    if (this.pc) throw new Unfit("page pc off first", file.name);
    this.saved = { file, about, from };
    this.memory = about.memory;
  }

  /** @param {import("./disks.js").Disk} disk */
  async #insert(disk) {
    if (this.pc && disk.drive === "disk") throw new Unfit("page pc off first", disk.file.name);
    if (this.pc && disk.drive === "floppy") await this.pc.set_fda({ buffer: await disk.file.arrayBuffer() });
    if (this.pc && disk.drive === "cd") await this.pc.set_cdrom({ buffer: disk.file });
    this.disks = [...this.disks.filter((other) => other.drive !== disk.drive), disk];
  }

  /** @param {import("./disks.js").Disk} disk */
  takeOut(disk) {
    if (this.pc && disk.drive === "floppy") this.pc.eject_fda();
    if (this.pc && disk.drive === "cd") this.pc.eject_cdrom();
    this.disks = this.disks.filter((other) => other !== disk);
    this.draw();
  }

  async start() {
    this.error = this.explained = "";
    const missing = this.saved?.about.disks.find((d) => !this.disks.some((disk) => disk.drive === d.drive && disk.file.size === d.size));
    if (missing) {
      this.error = say("page pc missing", missing.name, missing.size);
      this.draw();
      return;
    }
    this.status = say("page pc starting");
    this.draw();
    try {
      const options = /** @type {Record<string, unknown>} */ ({ screen: { container: this.element.querySelector("#screen") } });
      for (const disk of this.disks) options[slots[disk.drive]] = { buffer: disk.file };
      if (this.saved) options.initial_state = { buffer: await state(this.saved.file, this.saved.from) };
      this.pc = await switchOn(this.memory, options);
    } catch (error) {
      this.error = error instanceof NoBIOS ? say("page pc no bios") : say("page pc broken", /** @type {Error} */ (error).message);
    }
    this.status = "";
    this.running = true;
    this.draw();
    if (!this.pc) return;
    this.pc.add_listener("screen-set-size", () => requestAnimationFrame(() => this.fit()));
    this.timer = setInterval(() => this.watch(), 1000);
    this.fit();
    this.#monitor().focus();
  }

  /** Makes the PC's screen as wide as there is room. */
  fit() {
    if (!this.pc) return;
    const monitor = this.#monitor(), screen = /** @type {HTMLElement} */ (monitor.querySelector("#screen"));
    const { offsetWidth: width, offsetHeight: height } = screen;
    if (!width || !height) return;
    const full = document.fullscreenElement === monitor;
    const room = full ? Math.min(innerWidth / width, innerHeight / height) : Math.min(monitor.clientWidth / width, 1.6);
    screen.style.transform = full ? "" : `scale(${room})`;
    screen.style.zoom = full ? String(room) : "";
    monitor.style.height = full ? "" : `${Math.ceil(height * room) + 2}px`;
  }

  /** Looks whether the screen says that it cannot go on. */
  watch() {
    this.fit();
    const found = complaint(this.pc?.screen_adapter.get_text_screen().join("\n") ?? "");
    if (!found || found === this.explained) return;
    this.explained = found;
    this.error = say(found);
    this.draw();
  }

  async pause() {
    if (this.running) await this.pc.stop();
    else await this.pc.run();
    this.running = !this.running;
    this.draw();
  }

  async mouse() {
    this.#monitor().focus();
    await this.pc.lock_mouse();
  }

  async save() {
    this.status = say("page pc saving");
    this.draw();
    try {
      const disks = this.disks.map((disk) => ({ drive: disk.drive, name: disk.file.name, size: disk.file.size }));
      const about = { emulator, bios: await biosDigest(), memory: this.memory, disks };
      const address = URL.createObjectURL(await pack(about, await this.pc.save_state()));
      const link = document.createElement("a");
      link.href = address;
      link.download = `${(this.disks[0]?.file.name ?? "pc").replace(/\.[^.]*$/, "")}.labrun-pc`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may ask its user first
    } finally {
      this.status = "";
      this.draw();
    }
  }

  async off() {
    clearInterval(this.timer);
    const pc = this.pc;
    this.pc = null;
    this.saved = null;
    this.error = "";
    await pc.destroy();
    // v86 leaves its last picture in the screen.
    const screen = this.element.querySelector("#screen");
    screen?.replaceChildren(document.createElement("div"), document.createElement("canvas"));
    this.draw();
  }

  /**
   * Tells of what went wrong in v86, which throws where nobody waits for it.
   * @param {string} why
   */
  broken(why) {
    this.status = "";
    this.error = say("page pc broken", why);
    this.draw();
  }

  /** @param {string} tag */
  async speak(tag) {
    keep("language", tag);
    await speak(tag);
    this.draw();
  }
}

/**
 * The language that fits the reader best.
 * @param {{ tag: string }[]} languages
 */
function wanted(languages) {
  const plain = (/** @type {string} */ tag) => tag.toLowerCase().split("-")[0];
  for (const tag of [kept("language", ""), ...navigator.languages]) {
    const found = languages.find((l) => l.tag === tag) ?? languages.find((l) => plain(l.tag) === plain(tag));
    if (found) return found.tag;
  }
  return language();
}

const languages = await (await fetch("phrases/languages.json")).json();
await speak(wanted(languages));
const page = /** @type {HTMLElement} */ (document.querySelector("#page"));
page.replaceChildren();
Object.assign(window, { labrun: new MachinePage(page, languages) });
