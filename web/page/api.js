// @ts-check
// Requests to the page's own server; all addresses are relative to the page.

import { kept } from "./keep.js";

/** The language of the server's answers; empty: as the browser wishes. */
export const spoken = { tag: kept("language", "") };

/** What the server says when it refuses; its message is a sentence for the user. */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} address
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function ask(address, options) {
  const url = new URL(address, document.baseURI);
  if (spoken.tag && !url.searchParams.has("language")) url.searchParams.set("language", spoken.tag);
  const response = await fetch(url, { credentials: "same-origin", ...options });
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // a proxy's page, or a plain sentence
  }
  if (!response.ok) throw new Refused(body?.error ?? (text.trim() || response.statusText), response.status);
  if (body === null) throw new Refused(text.slice(0, 200), response.status);
  return body;
}

/** @param {string} address */
export const get = (address) => ask(address);

/**
 * @param {string} address
 * @param {object} body
 */
export const post = (address, body) =>
  ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
