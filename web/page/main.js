// @ts-check
// Where the page begins. Its address says what is shown: nothing behind # is the list of missions, #lab/SESSION a lab.
// Nothing is imported here that may be missing: then the page says so.
import { get } from "./api.js";
import { say, speak } from "./phrases.js";
import { session } from "./route.js";

let page = /** @type {HTMLElement} */ (document.querySelector("#page"));

/** Empties the page; lit-html would look for its own marks in what it has rendered to before. */
function clear() {
  const fresh = /** @type {HTMLElement} */ (page.cloneNode(false));
  page.replaceWith(fresh);
  page = fresh;
}

/** @param {string} text */
function plain(text) {
  const p = document.createElement("p");
  p.className = "plain";
  p.setAttribute("role", "alert");
  p.textContent = text;
  clear();
  page.append(p);
}

/** @type {{ dispose(): void } | undefined} */
let shown;
let hub = ""; // the JupyterHub's page, if one lets in

async function show() {
  const home = await get("api/home");
  hub = home.hub;
  if (home.missing) {
    plain(home.missing);
    return;
  }
  await speak(home.language);
  const wanted = session();
  shown?.dispose();
  shown = undefined;
  clear();
  if (!wanted && home.class) {
    const { Class } = await import("./class.js");
    shown = new Class(page, home);
  } else if (wanted) {
    const { Lab } = await import("./lab.js");
    shown = new Lab(page, wanted, home);
  } else {
    const { Home } = await import("./home.js");
    document.title = "labrun";
    shown = new Home(page, home);
  }
}

const start = () => show().catch((error) => {
  if (error.status === 401 && hub) location.reload(); // the way in leads by the hub, which knows who is logged in
  else plain(error.status === 401 ? say("page login") : String(error.message ?? error));
});
addEventListener("hashchange", start);
start();
