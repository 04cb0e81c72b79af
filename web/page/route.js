// @ts-check
// What the page's address says after #: nothing is the list of missions, lab/SESSION a lab.

/** The session of the lab that is shown; empty: the list is. */
export const session = () => decodeURIComponent(/^#lab\/(.+)$/.exec(location.hash)?.[1] ?? "");

/**
 * Shows a lab. One that goes on may be called as the one that is shown and has ended; it is shown anew.
 * @param {string} session
 */
export function openLab(session) {
  const hash = `#lab/${encodeURIComponent(session)}`;
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}
