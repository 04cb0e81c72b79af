// @ts-check
// The lab's network: how it is wired, drawn and as a table, and the packets that cross it as they come.
//
// For tests and other programs, these do not change:
//   #network [data-cable="debian/eth0"]   a cable, with the classes in or out; [data-machine="debian"] on or off
//   #network [data-packet="lan 7"]        a row of the list: packet 7 of network lan
//   #network-filter, #network-pause, #network [data-download="lan"]
import { html, nothing, render } from "../npm/lit-html/lit-html.js";
import { repeat } from "../npm/lit-html/directives/repeat.js";
import { Socket } from "./socket.js";
import { passes, pulse, wiring } from "./wiring.js";

/** @typedef {{ n: number, time: string, card: string, from: string, to: string, protocol: string, info: string, bytes: number }} Packet */
/** @typedef {(name: string, ...args: (string | number)[]) => string} Say */
/**
 * A row of the list: a packet, or how many are not shown there.
 * @typedef {{ id: string, network: string, packet?: Packet, text: string, more: number }} Row
 */

const most = 500; // rows that are kept; the file has them all
const every = 150; // milliseconds between two drawings

/**
 * Shows the network of a session in an element.
 * @param {HTMLElement} element
 * @param {string} base the session's address
 * @param {Say} say
 */
export function network(element, base, say) {
  return new Network(element, base, say);
}

class Network {
  /** @type {import("./wiring.js").Drawing | undefined} */
  #drawing;
  /** @type {Row[]} */
  #rows = [];
  /** @type {Row[] | undefined} those that were there when somebody wanted to read in peace */
  #held;
  /** @type {Map<string, number>} the number of the last packet, by network */
  #last = new Map();
  #gaps = 0;
  #filter = "";
  #timer = 0;

  /** @param {HTMLElement} element @param {string} base @param {Say} say */
  constructor(element, base, say) {
    this.element = element;
    this.base = base;
    this.say = say;
    this.socket = new Socket({
      address: () => `${base}/network`,
      message: (data) => this.#take(JSON.parse(/** @type {string} */ (data))),
      state: () => this.#later(),
    });
    this.resized = new ResizeObserver(() => this.#later()); // also when it is shown
    this.resized.observe(element);
    this.draw();
  }

  /** @param {any} told */
  #take(told) {
    if (told.kind === "drawing") this.#drawing = told;
    else if (told.kind === "packets") this.#add(told);
    this.#later();
  }

  /**
   * Those that are known come again after a lost connection.
   * @param {{ network: string, packets: Packet[], more: number }} told
   */
  #add({ network, packets, more }) {
    const last = this.#last.get(network) ?? 0;
    const fresh = packets.filter(({ n }) => n > last);
    if (packets.length) more = fresh.length ? fresh[0].n - last - 1 : 0;
    if (more) this.#skip(network, more);
    for (const packet of fresh) {
      this.#last.set(network, packet.n);
      const words = [network, packet.from, packet.to, packet.protocol, packet.info, packet.card];
      this.#rows.push({ id: `${network} ${packet.n}`, network, packet, text: words.join(" ").toLowerCase(), more: 0 });
    }
    this.#rows.splice(0, this.#rows.length - most);
    this.#pulses(network, fresh);
  }

  /** @param {string} network @param {number} more */
  #skip(network, more) {
    const row = this.#rows.at(-1);
    if (row?.more && row.network === network) this.#rows[this.#rows.length - 1] = { ...row, more: row.more + more };
    else this.#rows.push({ id: `gap ${++this.#gaps}`, network, text: "", more });
  }

  /** @param {string} network @param {Packet[]} packets */
  #pulses(network, packets) {
    const drawn = this.element.querySelector(".wiring");
    if (!drawn || !this.#drawing || document.hidden) return;
    for (const packet of packets.slice(-10)) {
      passes(this.#drawing, network, packet).forEach((id, at) => pulse(drawn, id, at === 0));
    }
  }

  /** Draws soon, once for all that comes until then. */
  #later() {
    this.#timer ||= setTimeout(() => this.draw(), every);
  }

  /** Draws all, if it can be seen. */
  draw() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.element.clientWidth) return;
    const list = this.element.querySelector(".packets");
    const follows = !list || list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    render(this.#view(), this.element);
    const now = this.element.querySelector(".packets");
    if (now && follows && !this.#held) now.scrollTop = now.scrollHeight;
  }

  #view() {
    const { say } = this;
    const drawing = this.#drawing;
    const lost = ["waiting", "connecting"].includes(this.socket.state);
    const notice = lost ? html`<p class="dim" role="status">${say("page console lost")}</p>` : nothing;
    if (!drawing) return notice;
    return html`<div class="network-view">
      ${notice}
      <div class="drawing">
        ${wiring(drawing, this.element.clientWidth - 32, say)}
        <details><summary>${say("network table")}</summary>${this.#table(drawing)}</details>
      </div>
      ${drawing.networks.length ? this.#list(drawing) : html`<p class="dim">${say("network none")}</p>`}
    </div>`;
  }

  /** @param {import("./wiring.js").Drawing} drawing */
  #table({ machines }) {
    const { say } = this;
    const columns = ["machine", "card", "network", "cable", "address", "mac"];
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${say("network table")}><table>
      <thead><tr>${columns.map((name) => html`<th scope="col">${say(`network column ${name}`)}</th>`)}</tr></thead>
      <tbody>${machines.map((machine) => (machine.cards.length ? machine.cards : [undefined]).map((card) => html`<tr>
        <th scope="row">${machine.name} <span class="dim">${machine.on ? say("page on") : say("page off")}</span></th>
        ${card ? html`<td>${card.name}</td>
          <td>${card.uplink ? say("network uplink") : card.network}</td>
          <td>${card.plugged ? say("network plugged") : say("network unplugged")}</td>
          <td>${card.addresses.join(", ") || "–"}</td>
          <td><code>${card.mac}</code></td>` : html`<td colspan="5">–</td>`}
      </tr>`))}</tbody></table></div>`;
  }

  /** @param {import("./wiring.js").Drawing} drawing */
  #list({ networks, machines }) {
    const { say } = this;
    const words = this.#filter.toLowerCase().split(/\s+/).filter(Boolean);
    const all = this.#held ?? this.#rows;
    const rows = words.length ? all.filter((row) => row.packet && words.every((word) => row.text.includes(word))) : all;
    const several = networks.length > 1;
    const columns = `number time ${several ? "network " : ""}from to protocol info bytes`.split(" ");
    const begun = this.#rows.length > 0 || machines.some((m) => m.on);
    return html`<div class="traffic">
      <div class="bar">
        <h3>${say("network packets")}</h3>
        <input type="text" id="network-filter" .value=${this.#filter} autocomplete="off" autocapitalize="off" spellcheck="false"
          aria-label=${say("network filter")} placeholder=${say("network filter")}
          @input=${(/** @type {InputEvent} */ event) => this.#look(/** @type {HTMLInputElement} */ (event.target).value)}>
        <button type="button" id="network-pause" aria-pressed=${Boolean(this.#held)} @click=${() => this.#pause()}>${
          say("network pause")}</button>
        ${begun ? networks.map((name) => html`<a class="button" data-download=${name} download="${name}.pcap"
          href="${this.base}/capture?network=${encodeURIComponent(name)}">${say("network download", `${name}.pcap`)}</a>`) : nothing}
      </div>
      <div class="packets scroll" tabindex="0" role="region" aria-label=${say("network packets")}>
        ${rows.length === 0 ? html`<p class="dim">${say(all.length ? "network no match" : "network no packets")}</p>` : html`<table>
        <thead><tr>${columns.map((name) => html`<th scope="col" class=${name}>${say(`network column ${name}`)}</th>`)}</tr></thead>
        <tbody>${repeat(rows, (row) => row.id, (row) => this.#row(row, columns))}</tbody></table>`}
      </div>
    </div>`;
  }

  /** @param {Row} row @param {string[]} columns */
  #row({ id, network, packet, more }, columns) {
    if (!packet) return html`<tr class="more"><td colspan=${columns.length}>${this.say("network more", more, network)}</td></tr>`;
    /** @type {Record<string, string | number>} */
    const cells = { ...packet, number: packet.n, network, time: clock(packet.time) };
    return html`<tr data-packet=${id} data-protocol=${packet.protocol}>${columns.map((name) => html`<td class=${name}>${cells[name]}</td>`)}</tr>`;
  }

  /** @param {string} text */
  #look(text) {
    this.#filter = text;
    this.draw();
  }

  #pause() {
    this.#held = this.#held ? undefined : [...this.#rows];
    this.draw();
  }

  dispose() {
    clearTimeout(this.#timer);
    this.resized.disconnect();
    this.socket.close();
    render(nothing, this.element);
  }
}

/** A time of day, to the hundredth of a second. @param {string} time */
function clock(time) {
  const at = new Date(time);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(Math.floor(at.getMilliseconds() / 10))}`;
}
