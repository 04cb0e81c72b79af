// @ts-check
// What a file that somebody drops is: for which drive of a PC, and whether a PC can boot it. Only a few of its bytes are read.

/** @typedef {"floppy" | "disk" | "cd"} Drive */
/**
 * @typedef {object} Disk
 * @property {File} file
 * @property {Drive} drive
 * @property {string[]} notes phrases, about what may not work
 */

/** Says in a phrase, with what it is about, why a file is no disk for a PC here. */
export class Unfit extends Error {
  /** @param {string} phrase @param {...string} about */
  constructor(phrase, ...about) {
    super(phrase);
    this.about = about;
  }
}

const sector = 512;
const block = 2048; // of a CD
const largestFloppy = 2880 * 1024;

/** Formats of other emulators and of archives, by how they begin. */
const wrapped = [
  ["QFI\xfb", "qcow2"], ["KDMV", "VMDK"], ["<<< Oracle VM VirtualBox", "VDI"], ["<<< Sun", "VDI"], ["conectix", "VHD"],
  ["vhdxfile", "VHDX"],
];
const packed = [
  ["PK\x03\x04", "zip"], ["\x1f\x8b", "gzip"], ["\xfd7zXZ\0", "xz"], ["7z\xbc\xaf", "7-Zip"], ["BZh", "bzip2"], ["Rar!", "RAR"],
  ["\x28\xb5\x2f\xfd", "zstd"], ["MSCF", "CAB"],
];

/**
 * @param {File} file
 * @param {number} from
 * @param {number} length
 */
async function bytes(file, from, length) {
  return new Uint8Array(await file.slice(from, from + length).arrayBuffer());
}

/** @param {Uint8Array} data */
const latin = (data) => String.fromCharCode(...data);

/**
 * Finds out what a file is; rejects with Unfit if a PC has no use for it.
 * @param {File} file
 * @returns {Promise<Disk>}
 */
export async function look(file) {
  if (!file.size) throw new Unfit("page pc empty", file.name);
  const head = await bytes(file, 0, sector);
  const start = latin(head);
  for (const [magic, name] of wrapped) {
    if (start.startsWith(magic)) throw new Unfit("page pc wrapped", file.name, name);
  }
  for (const [magic, name] of packed) {
    if (start.startsWith(magic)) throw new Unfit("page pc packed", file.name, name);
  }
  if (start.slice(257, 262) === "ustar") throw new Unfit("page pc packed", file.name, "tar");
  if (start.startsWith("\x7fELF") || start.startsWith("MZ")) throw new Unfit("page pc program", file.name);
  if (latin(await bytes(file, 16 * block + 1, 5)) === "CD001") return { file, drive: "cd", notes: await cdNotes(file) };
  const footer = latin(await bytes(file, Math.max(0, file.size - sector), 8));
  if (footer === "conectix" && start.slice(0, 8) === "conectix") throw new Unfit("page pc wrapped", file.name, "VHD");
  if (file.size % sector) throw new Unfit("page pc cut", file.name, String(file.size));
  const drive = file.size <= largestFloppy ? "floppy" : "disk";
  return { file, drive, notes: bootNotes(head) };
}

/**
 * What speaks against booting a disk.
 * @param {Uint8Array} head its first sector
 */
function bootNotes(head) {
  if (head[510] !== 0x55 || head[511] !== 0xaa) return ["page pc unmarked"];
  const guarded = head[450] === 0xee; // the first partition is there to protect a GPT
  return guarded && head.slice(0, 440).every((byte) => byte === 0) ? ["page pc efi"] : [];
}

/**
 * What speaks against booting a CD: it lacks a boot record, or has one for UEFI alone.
 * @param {File} file
 */
async function cdNotes(file) {
  const record = await bytes(file, 17 * block, block);
  if (record[0] !== 0 || !latin(record.slice(7, 30)).startsWith("EL TORITO SPECIFICATION")) return ["page pc plain cd"];
  const catalogue = await bytes(file, new DataView(record.buffer).getUint32(71, true) * block, 64);
  return catalogue[1] === 0xef ? ["page pc efi"] : [];
}

/** What a PC's screen says when it cannot go on, and the phrase that explains it. */
const complaints = /** @type {[RegExp, string][]} */ ([
  [/No bootable device|Boot failed|not a bootable disk|Non-System disk|Missing operating system|operating system not found|BOOTMGR is missing|NTLDR is missing/i,
    "page pc boots nothing"],
  [/requires an x86-64 CPU|requires the following features not present|CPU you have.*not.*64|long mode/i, "page pc 64 bits"],
  [/Kernel panic/, "page pc panic"],
]);

/**
 * Says why a PC cannot go on, if its screen tells so.
 * @param {string} text
 */
export const complaint = (text) => complaints.find(([pattern]) => pattern.test(text))?.[1] ?? "";
