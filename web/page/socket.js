// @ts-check
// A websocket that comes back. What is lost with a connection is its user's to ask for again, in address().

/**
 * How a connection stands. "over": the run has ended; "login": the key is to be given again; "gone": there is no such
 * session or machine. These three are final.
 * @typedef {"connecting" | "open" | "waiting" | "over" | "login" | "gone"} State
 */

/**
 * @typedef {object} Handlers
 * @property {() => string} address where to connect, relative to the page; it is asked each time
 * @property {(data: string | ArrayBuffer) => void} message
 * @property {(state: State) => void} state
 */

const shortest = 500; // milliseconds before it is tried again, doubled each time
const longest = 10_000;
const finals = new Map([[1000, "over"], [4401, "login"], [4404, "gone"]]);

export class Socket {
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #pause = shortest;
  #closed = false;
  /** @type {State} */
  state = "connecting";

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    this.retry = this.retry.bind(this);
    this.visible = () => document.visibilityState === "visible" && this.retry();
    document.addEventListener("visibilitychange", this.visible);
    addEventListener("online", this.retry);
    this.#connect();
  }

  #connect() {
    const address = new URL(this.handlers.address(), document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#pause = shortest;
      this.#turn("open");
    };
    socket.onmessage = (event) => this.handlers.message(event.data);
    socket.onclose = (event) => {
      if (this.#closed || socket !== this.#socket) return;
      const final = /** @type {State | undefined} */ (finals.get(event.code));
      if (final) {
        this.close();
        this.#turn(final);
        return;
      }
      this.#timer = setTimeout(this.retry, this.#pause);
      this.#pause = Math.min(2 * this.#pause, longest);
      this.#turn("waiting");
    };
  }

  /** Connects now, if it waits to do so. */
  retry() {
    if (this.state !== "waiting" || this.#closed) return;
    clearTimeout(this.#timer);
    this.#turn("connecting");
    this.#connect();
  }

  /** @param {State} state */
  #turn(state) {
    this.state = state;
    this.handlers.state(state);
  }

  /**
   * Sends, if there is a connection.
   * @param {string | Uint8Array<ArrayBuffer>} data
   */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.visible);
    removeEventListener("online", this.retry);
    this.#socket?.close();
  }
}
