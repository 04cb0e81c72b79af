// @ts-check
// A PC in the browser: v86, with the BIOS that lies beside the page. Addresses are relative to this file, so a worker finds
// them as the page does.
import { V86 } from "../npm/v86/libv86.mjs";

/** What v86 calls its version; a saved state fits no other. */
export const emulator = "v86 0.5.462";

/** The page's server has no BIOS. */
export class NoBIOS extends Error {}

/**
 * @param {string} name
 * @returns {Promise<ArrayBuffer>}
 */
async function firmware(name) {
  const response = await fetch(new URL(`../bios/${name}`, import.meta.url));
  if (!response.ok) throw new NoBIOS(name);
  return response.arrayBuffer();
}

let firmwares = /** @type {Promise<ArrayBuffer[]> | undefined} */ (undefined);

/** The BIOS and that of the screen. */
const bios = () => (firmwares ??= Promise.all([firmware("bios.bin"), firmware("vgabios.bin")]));

/** Tells this BIOS from others: hexadecimal digits. */
export async function biosDigest() {
  let text = "";
  for (const part of await bios()) {
    const digest = await crypto.subtle.digest("SHA-256", part);
    text += [...new Uint8Array(digest)].slice(0, 6).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  return text;
}

/**
 * Switches a PC on, and resolves when it runs.
 * @param {number} memory in MiB
 * @param {object} options more of v86's: disks, a screen, a state to go on from
 * @returns {Promise<any>}
 */
export async function switchOn(memory, options) {
  const [system, screen] = await bios();
  const pc = new V86({
    wasm_path: new URL("../npm/v86/v86.wasm", import.meta.url).href,
    bios: { buffer: system }, vga_bios: { buffer: screen },
    memory_size: memory * 2 ** 20, vga_memory_size: 8 * 2 ** 20,
    disable_speaker: true, // it would need a sound that no click has allowed
    autostart: true, ...options,
  });
  await new Promise((resolve) => pc.add_listener("emulator-loaded", resolve));
  return pc;
}
