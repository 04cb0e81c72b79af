// Boots a machine's kernel once in v86, under Node, and saves the state in which its prompt stands and nobody has typed:
// node boot.mjs V86 BIOS VGABIOS KERNEL INITRD MEMORY COMMANDLINE OUT. It is written in the page's format (saved.js).
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, bios, vgabios, kernel, initrd, memory, commandLine, out] = process.argv.slice(2);
const { V86 } = await import(pathToFileURL(`${folder}/npm/v86/libv86.mjs`).href);
const { pack } = await import(pathToFileURL(`${folder}/page/saved.js`).href);
const buffer = (path) => ({ buffer: new Uint8Array(readFileSync(path)).buffer });

const pc = new V86({
  wasm_path: `${folder}/npm/v86/v86.wasm`, bios: buffer(bios), vga_bios: buffer(vgabios),
  bzimage: buffer(kernel), initrd: buffer(initrd), cmdline: commandLine,
  memory_size: Number(memory) * 2 ** 20, vga_memory_size: 2 ** 20,
  uart1: true, net_device: { type: "virtio" }, autostart: true, disable_keyboard: true, disable_mouse: true, disable_speaker: true,
});

/** What each serial port has printed, and who waits for some of it. */
const ports = [0, 1].map((number) => {
  const port = { text: "", seen: () => {} };
  pc.add_listener(`serial${number}-output-byte`, (byte) => {
    port.text += String.fromCharCode(byte);
    port.seen();
  });
  return port;
});
const until = (port, text) => new Promise((resolve) => {
  port.seen = () => port.text.includes(text) && resolve();
  port.seen();
});

await until(ports[0], "login: ");
await until(ports[1], "labrun control ready");
const shown = ports[0].text;
// The card comes when the machine goes on, so that it has an address of its own then, and the caches take room for nothing.
pc.serial_send_bytes(1, new TextEncoder().encode("rmmod virtio_net; sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1; echo saved\n"));
await until(ports[1], "saved");
await pc.stop();
const about = { memory: Number(memory), disks: [], console: shown };
writeFileSync(out, new Uint8Array(await (await pack(about, await pc.save_state())).arrayBuffer()));
process.exit(0);
