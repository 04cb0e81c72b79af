// Copies what the page imports from node_modules to npm/, as it is, with the licences. None of the files imports
// another package by its bare name, so browsers load them without a bundler.
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const files = {
  "xterm/xterm.mjs": "@xterm/xterm/lib/xterm.mjs",
  "xterm/xterm.css": "@xterm/xterm/css/xterm.css",
  "xterm/addon-fit.mjs": "@xterm/addon-fit/lib/addon-fit.mjs",
  "xterm/addon-unicode11.mjs": "@xterm/addon-unicode11/lib/addon-unicode11.mjs",
  "xterm/addon-clipboard.mjs": "@xterm/addon-clipboard/lib/addon-clipboard.mjs",
  "xterm/addon-web-links.mjs": "@xterm/addon-web-links/lib/addon-web-links.mjs",
  "v86/libv86.mjs": "v86/build/libv86.mjs",
  "v86/v86.wasm": "v86/build/v86.wasm",
};
for (const name of ["lit-html.js", "directive.js", "directive-helpers.js", "directives/live.js", "directives/repeat.js",
  "directives/unsafe-html.js"]) {
  files[`lit-html/${name}`] = `lit-html/${name}`;
}
// noVNC's modules import each other and its copy of pako, by where they are.
const folders = {
  "novnc/core": "@novnc/novnc/core",
  "novnc/vendor/pako/lib": "@novnc/novnc/vendor/pako/lib",
};
const licences = {
  "xterm.txt": "@xterm/xterm/LICENSE",
  "xterm-addon-fit.txt": "@xterm/addon-fit/LICENSE",
  "xterm-addon-unicode11.txt": "@xterm/addon-unicode11/LICENSE",
  "xterm-addon-clipboard.txt": "@xterm/addon-clipboard/LICENSE",
  "xterm-addon-web-links.txt": "@xterm/addon-web-links/LICENSE",
  "js-base64.txt": "js-base64/LICENSE.md", // is in the clipboard addon
  "lit-html.txt": "lit-html/LICENSE",
  "novnc.txt": "@novnc/novnc/LICENSE.txt",
  "novnc-authors.txt": "@novnc/novnc/AUTHORS",
  "pako.txt": "@novnc/novnc/vendor/pako/LICENSE",
  "v86.txt": "v86/LICENSE",
};
for (const [name, from] of Object.entries(licences)) files[`licences/${name}`] = from;

for (const old of readdirSync("npm")) {
  if (old !== "README.md") rmSync(join("npm", old), { recursive: true });
}
for (const [name, from] of Object.entries(files)) {
  const to = join("npm", name);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join("node_modules", from), to);
}
for (const [name, from] of Object.entries(folders)) cpSync(join("node_modules", from), join("npm", name), { recursive: true });
// Says what was copied: make copies again when the lock is another one.
copyFileSync("package-lock.json", join("npm", "package-lock.json"));
