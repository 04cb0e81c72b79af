// @ts-check
// The drawing of a lab's network: machines at the sides, a line for each network between them, a cable for each card. It
// grows downwards, so any number of machines has room; on a narrow screen all of them stand at the left.
import { nothing, svg } from "../npm/lit-html/lit-html.js";

/** @typedef {{ name: string, mac: string, network: string, uplink: boolean, plugged: boolean, addresses: string[] }} Card */
/** @typedef {{ name: string, on: boolean, cards: Card[] }} Machine */
/** @typedef {{ networks: string[], machines: Machine[] }} Drawing */

/**
 * A machine, card or line with its place. Lengths are in CSS pixels.
 * @typedef {{ machine: Machine, card: Card, id: string, from: number, to: number, y: number, left: boolean, line: Line }} Cable
 * @typedef {{ machine: Machine, x: number, y: number, height: number }} Box
 * @typedef {{ name: string, uplink: boolean, colour: number, x: number, y: number, end: number }} Line
 */

const narrow = 600; // up to here, all machines stand at one side
const widest = 940;
const box = { wide: 124, narrow: 96, text: 8.2 }; // its text's width is that of a letter
const row = 44; // of a card
const gap = 20; // between machines
const head = 30; // of a line: where its name stands
const colours = 6;

/**
 * @param {Drawing} drawing
 * @param {number} room the width there is
 */
export function layout({ networks, machines }, room) {
  const width = Math.max(300, Math.min(room, widest));
  const sides = width > narrow && machines.length > 1 ? 2 : 1;
  const boxWidth = sides === 2 ? box.wide : box.narrow;
  /** @type {Line[]} */
  const lines = [];
  const uplink = machines.some((m) => m.cards.some((c) => c.uplink));
  if (uplink) lines.push({ name: "", uplink, colour: 0, x: 0, y: 0, end: 0 });
  networks.forEach((name, at) => lines.push({ name, uplink: false, colour: at % colours, x: 0, y: 0, end: 0 }));
  const most = sides === 2 ? width / 3 : Math.max(60, width - boxWidth - 150);
  const between = Math.min(56, most / Math.max(1, lines.length));
  lines.forEach((line, at) => {
    const middle = sides === 2 ? width / 2 : width - 34 - (between * (lines.length - 1)) / 2;
    line.x = Math.round(middle + between * (at - (lines.length - 1) / 2));
    line.y = line.end = head / 2 + 4 + head * at;
  });
  const top = head * lines.length + 16;
  const ends = Array(sides).fill(top);
  /** @type {Box[]} */
  const boxes = [];
  /** @type {Cable[]} */
  const cables = [];
  for (const machine of machines) {
    const side = ends.indexOf(Math.min(...ends));
    const left = side === 0;
    const height = row * Math.max(1, machine.cards.length);
    const x = left ? 1 : width - boxWidth - 1;
    const y = ends[side];
    boxes.push({ machine, x, y, height });
    machine.cards.forEach((card, at) => {
      const line = lines.find((l) => (card.uplink ? l.uplink : l.name === card.network && !l.uplink));
      if (!line) return;
      const height = y + row * at + row / 2;
      line.end = Math.max(line.end, height);
      cables.push({ machine, card, id: `${machine.name}/${card.name}`, from: left ? x + boxWidth : x, to: line.x, y: height, left, line });
    });
    ends[side] += height + gap;
  }
  return { width, height: Math.max(...ends) - gap + 4, boxWidth, lines, boxes, cables };
}

/** A text that has room for so many letters. @param {string} text @param {number} room */
const fit = (text, room) => (text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text);

/** A cloud around its place. @param {Line} line */
const cloud = ({ x, y }) => `M${x - 22} ${y + 11} a9 9 0 0 1 -1 -17.9 a12 12 0 0 1 22 -5 a9.5 9.5 0 0 1 15 6.2 a8.5 8.5 0 0 1 7 16.7 z`;

/**
 * @param {Drawing} drawing
 * @param {number} room
 * @param {(name: string, ...args: (string | number)[]) => string} say
 */
export function wiring(drawing, room, say) {
  const { width, height, boxWidth, lines, boxes, cables } = layout(drawing, room);
  return svg`<svg class="wiring" role="img" aria-label=${say("network drawing")} viewBox="0 0 ${width} ${height}" width=${width} height=${height}>
    ${lines.map((line) => svg`<line class="bus ${line.uplink ? "uplink" : `wire-${line.colour}`}" x1=${line.x} x2=${line.x} y1=${line.y} y2=${line.end}></line>`)}
    ${cables.map((cable) => drawCable(cable, width))}
    ${lines.map((line) => drawHead(line, width, say))}
    ${boxes.map(({ machine, x, y, height }) => svg`<g class="machine ${machine.on ? "on" : "off"}" data-machine=${machine.name}>
      <title>${machine.name}: ${machine.on ? say("page on") : say("page off")}</title>
      <rect x=${x} y=${y + 1} width=${boxWidth} height=${height - 2} rx="8"></rect>
      <circle class="lamp-light" cx=${x + 13} cy=${y + height / 2} r="4.5"></circle>
      <text class="name" x=${x + 24} y=${y + height / 2 + 5}>${fit(machine.name, Math.floor((boxWidth - 28) / box.text))}</text>
    </g>`)}
  </svg>`;
}

/** @param {Cable} cable @param {number} width */
function drawCable({ machine, card, id, from, to, y, left, line }, width) {
  const colour = line.uplink ? "uplink" : `wire-${line.colour}`;
  const broken = (from + to) / 2 + (left ? 1 : -1) * Math.max(0, Math.abs(to - from) / 2 - 24);
  const text = left ? from + 6 : from - 6;
  const room = Math.floor((Math.abs(to - from) - 14) / 7.4);
  const [address = "", ...others] = card.addresses;
  return svg`<g class="cable ${colour} ${machine.on ? "on" : "off"} ${card.plugged ? "in" : "out"}" data-cable=${id}>
    <title>${id} ${card.mac} ${card.addresses.join(", ")}</title>
    ${card.plugged ? svg`<line x1=${from} x2=${to} y1=${y} y2=${y}></line>
      <line class="pulse" pathLength="100" x1=${from} x2=${to} y1=${y} y2=${y}></line>
      <circle class="plug" cx=${to} cy=${y} r="5"></circle>`
    : svg`<line x1=${from} x2=${broken - (left ? 9 : -9)} y1=${y} y2=${y}></line>
      <path class="cut" d="M${broken - 5} ${y - 5} l10 10 m0 -10 l-10 10"></path>
      <circle class="plug" cx=${to} cy=${y} r="5"></circle>`}
    <text class="address" x=${text} y=${y - 6} text-anchor=${left ? "start" : "end"}>${
      fit(address, room)}${others.length ? ` +${others.length}` : nothing}</text>
    <text class="card" x=${text} y=${y + 15} text-anchor=${left ? "start" : "end"}>${
      fit(width > narrow ? `${card.name} ${card.mac}` : card.name, Math.floor(room * 1.1))}</text>
  </g>`;
}

/** @param {Line} line @param {number} width @param {(name: string) => string} say */
function drawHead(line, width, say) {
  const name = fit(line.uplink ? say("network uplink") : line.name, 16);
  const wide = /[\u2e80-\uffff]/.test(name) ? 15 : box.text;
  if (line.uplink) {
    return svg`<g class="uplink head"><path d=${cloud(line)}></path>
      <text x=${line.x - 34} y=${line.y + 4} text-anchor="end">${name}</text></g>`;
  }
  const half = (name.length * wide) / 2 + 10;
  const middle = Math.min(line.x, width - half - 1);
  return svg`<g class="head wire-${line.colour}"><rect x=${middle - half} y=${line.y - 12} width=${2 * half} height="24" rx="6"></rect>
    <text x=${middle} y=${line.y + 4.5} text-anchor="middle">${name}</text></g>`;
}

/**
 * The cables that a packet passes: out of its card, then to those it is for.
 * @param {Drawing} drawing
 * @param {string} network
 * @param {{ card: string, to: string }} packet
 * @returns {string[]} of cards, MACHINE/CARD; the first is its sender's
 */
export function passes({ machines }, network, { card, to }) {
  const others = machines.filter((m) => m.on).flatMap((m) => m.cards
    .filter((c) => c.network === network && c.plugged && `${m.name}/${c.name}` !== card)
    .map((c) => ({ c, id: `${m.name}/${c.name}` })));
  const own = others.filter(({ c }) => c.mac === to || c.addresses.includes(to));
  return [card, ...(own.length ? own : others).map(({ id }) => id)];
}

/**
 * Has something run along a cable, unless somebody wants no movement or it does already.
 * @param {Element} drawn the drawing
 * @param {string} id
 * @param {boolean} away from the machine
 */
export function pulse(drawn, id, away) {
  const cable = drawn.querySelector(`[data-cable="${CSS.escape(id)}"] .pulse`);
  if (!cable || cable.getAnimations().length || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const [start, end] = away ? [14, -100] : [-100, 14];
  const delay = away ? 0 : 250;
  cable.animate([{ strokeDashoffset: start, opacity: 1 }, { strokeDashoffset: end, opacity: 1 }], { duration: 450, delay });
}
