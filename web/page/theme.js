// Light or dark, before anything is painted: a classic script, since modules come later. The choice is the user's, or
// the system's where they made none.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = null;
  try {
    choice = localStorage.getItem("labrun theme");
  } catch {
    // a browser that keeps nothing
  }
  const apply = () => {
    document.documentElement.dataset.theme = choice ?? (system.matches ? "dark" : "light");
  };
  system.addEventListener("change", apply);
  document.addEventListener("labrun-theme", (event) => {
    choice = event.detail;
    apply();
  });
  apply();
})();
