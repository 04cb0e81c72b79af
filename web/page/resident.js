// @ts-check
// A worker that holds one machine of a lab: it waits for the run to switch the machine on, lets it go on from its saved
// state in v86, and carries its serial ports and its network card over one websocket; or, in a page that labrun has
// exported, to the page itself. The kinds of messages, the first byte of each, are those of labrun's package pc.
import { switchOn } from "./pc.js";
import { fetchState } from "./saved.js";

const again = 2000; // milliseconds before a lost connection is tried again
const [on, off, reset, up, down, first, second, frame] = [..."porud01e"].map((kind) => kind.charCodeAt(0));

let address = "";
let page = ""; // its address, which those of states are relative to
/** @type {(message: Uint8Array<ArrayBuffer>) => void} where messages go to */
let pass = () => {};
/** @type {any} */
let pc = null;
let turn = 0; // how often it was switched on or off
/** @type {{ state: string, mac: string }} */
let wanted;

/**
 * @param {number} kind
 * @param {Uint8Array} [payload]
 */
function send(kind, payload = new Uint8Array()) {
  const message = new Uint8Array(1 + payload.length);
  message[0] = kind;
  message.set(payload, 1);
  pass(message);
}

const text = (/** @type {string} */ words) => new TextEncoder().encode(words);

async function start() {
  const mine = ++turn;
  try {
    await stop();
    const { about, state } = await fetchState(new URL(`states/${wanted.state}`, page));
    const fresh = await switchOn(about.memory, {
      initial_state: { buffer: state }, vga_memory_size: 2 ** 20, uart1: true, net_device: { type: "virtio" }, autostart: false,
      disable_keyboard: true, disable_mouse: true,
    });
    if (mine !== turn) {
      fresh.destroy();
      return;
    }
    pc = fresh;
    connect(about.console ?? "");
  } catch (error) {
    if (mine === turn) send(down, text(String(/** @type {Error} */ (error).message ?? error)));
  }
}

/** @param {string} shown what the console has said before it was saved */
function connect(shown) {
  if (wanted.mac) pc.v86.cpu.devices.virtio_net.mac = Uint8Array.from(wanted.mac.split(":"), (byte) => parseInt(byte, 16));
  for (const [number, kind] of [[0, first], [1, second]]) {
    /** @type {number[]} */
    let said = [];
    pc.add_listener(`serial${number}-output-byte`, (/** @type {number} */ byte) => {
      if (!said.length) {
        queueMicrotask(() => { // what is printed in one slice of the emulator's goes at once
          send(kind, Uint8Array.from(said));
          said = [];
        });
      }
      said.push(byte);
    });
  }
  pc.add_listener("net0-send", (/** @type {Uint8Array} */ data) => send(frame, data));
  pc.add_listener("cpu-event-halt", () => { // a processor that waits for nothing: the guest has powered off
    stop();
    send(down);
  });
  send(up, text(shown));
  pc.run();
}

async function stop() {
  const old = pc;
  pc = null;
  await old?.destroy();
}

/**
 * Whether the guest's driver has set the network card up (DRIVER_OK, virtio 1.2, 2.1). What comes before has to be dropped:
 * v86 would take buffers of a queue that is not there yet, and the guest's driver give the queue up as broken.
 */
const takesFrames = () => Boolean(pc?.v86.cpu.devices.virtio_net.virtio.device_status & 4);

/** @param {MessageEvent<ArrayBuffer>} event */
function hear({ data }) {
  const message = new Uint8Array(data), payload = message.subarray(1);
  switch (message[0]) {
    case on:
      wanted = JSON.parse(new TextDecoder().decode(payload));
      start();
      break;
    case reset:
      start();
      break;
    case off:
      turn++;
      stop();
      break;
    case first:
    case second:
      pc?.serial_send_bytes(message[0] - first, payload);
      break;
    case frame:
      if (takesFrames()) pc.bus.send("net0-receive", payload);
  }
}

function open() {
  const socket = new WebSocket(address);
  pass = (message) => socket.readyState === WebSocket.OPEN && socket.send(message);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => postMessage(true);
  socket.onmessage = hear;
  socket.onclose = (event) => {
    turn++; // the run has given the machine up: it is off
    stop();
    postMessage(false);
    if (event.code !== 1000 && event.code < 4000) setTimeout(open, again);
  };
}

onmessage = ({ data }) => {
  ({ address = "", page } = data);
  if (address) {
    open();
    return;
  }
  pass = (message) => postMessage(message.buffer, { transfer: [message.buffer] });
  onmessage = hear;
};
