// @ts-check
// A PC that was saved to a file: what it was, in JSON, and v86's own state behind that, packed with gzip.

const magic = "labrun-pc 1\n";

/**
 * @typedef {object} About
 * @property {string} emulator
 * @property {string} bios
 * @property {string} [console] what its serial port has said
 * @property {number} memory in MiB
 * @property {{ drive: string, name: string, size: number }[]} disks that were in it, which the file does not hold
 */

/**
 * @param {About} about
 * @param {ArrayBuffer} state
 * @returns {Promise<Blob>}
 */
export async function pack(about, state) {
  const zipped = new Blob([state]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Blob([magic, JSON.stringify(about), "\n", await new Response(zipped).arrayBuffer()]);
}

/** @param {Blob} file */
export const isSaved = async (file) => (await file.slice(0, magic.length).text()) === magic;

/**
 * Reads what a saved PC was, and where in the file its state begins. It rejects if the file is damaged.
 * @param {Blob} file
 * @returns {Promise<{ about: About, from: number }>}
 */
export async function unpack(file) {
  const head = new Uint8Array(await file.slice(magic.length, magic.length + 65536).arrayBuffer());
  const end = head.indexOf(10);
  const about = JSON.parse(new TextDecoder().decode(head.slice(0, end)));
  return { about, from: magic.length + end + 1 };
}

/**
 * @param {Blob} file
 * @param {number} from
 * @returns {Promise<ArrayBuffer>}
 */
export const state = (file, from) =>
  new Response(file.slice(from).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

/**
 * @param {URL} address
 * @returns {Promise<{ about: About, state: ArrayBuffer }>}
 */
export async function fetchState(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status} ${response.statusText}`);
  const file = await response.blob();
  const { about, from } = await unpack(file);
  return { about, state: await state(file, from) };
}
