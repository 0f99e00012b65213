// One session with the bridge over as many websockets as it takes, and the answers that are waited for.

import { BridgeError, decodeMessage, encodeMessage } from "./messages.mjs";
import { Session } from "./session.mjs";

/** @typedef {import("./messages.mjs").Message} Message */
/** @typedef {"connecting" | "open" | "interrupted" | "closed"} State */

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 3000;
const MOST_BUFFERED = 4 << 20;
// Refusals that another attempt cannot mend.
const FINAL = ["unauthorized", "version_unsupported", "bad_frame", "frame_too_large"];

/** The connection broke before the answer came: ask again once it is open. */
export class Disconnected extends Error {}

/**
 * @typedef {object} Listener
 * @property {(state: State, error: BridgeError | null) => void} changed
 * @property {(message: Message) => void} received events, each once and in order, and whatever nobody waited for
 * @property {(jobs: string[], error: BridgeError) => void} lost the bridge has forgotten the session, and with it these
 *   jobs
 */

/** @typedef {{key: string, about: string[], resolve: (message: Message) => void, reject: (error: Error) => void}} Waiting */

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  #session;
  #pause = FIRST_PAUSE;
  /** @type {Set<Waiting>} */
  #waiting = new Set();
  /** @type {(() => void)[]} */
  #whenOpen = [];
  /** @type {BridgeError | null} */
  #ended = null;

  /**
   * @param {string} url
   * @param {string} token
   * @param {string} client
   * @param {Listener} listener
   */
  constructor(url, token, client, listener) {
    this.url = url;
    this.token = token;
    this.listener = listener;
    this.#session = new Session(client);
  }

  get session() {
    return this.#session;
  }

  /** Connect, and again whenever the connection breaks. */
  open() {
    this.listener.changed(this.#session.id === null ? "connecting" : "interrupted", null);
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => socket.send(encodeMessage(this.#session.connect(this.token)));
    socket.onmessage = (event) => {
      try {
        this.#take(decodeMessage(event.data));
      } catch (error) {
        if (!(error instanceof BridgeError)) throw error;
        this.end(error);
      }
    };
    socket.onclose = () => this.#broken(socket);
  }

  /**
   * There will be no further connection.
   * @param {BridgeError} error
   */
  end(error) {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#socket?.close();
    this.#breakOff();
    this.#open();
    this.listener.changed("closed", error);
  }

  /** Wait until jobs may be sent. */
  async whenOpen() {
    if (!this.#session.ready && this.#ended === null) {
      await new Promise((/** @type {(value?: unknown) => void} */ resolve) => this.#whenOpen.push(resolve));
    }
    if (this.#ended !== null) throw this.#ended;
  }

  /**
   * Send a message without waiting for anything. What a lost connection swallows is not sent again.
   * @param {Message} message
   */
  post(message) {
    if (this.#session.ready && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  /**
   * Send, and wait while the socket has more to send than it should hold.
   * @param {Message} message
   * @throws {Disconnected}
   */
  async send(message) {
    const socket = this.#socket;
    if (socket === null || !this.#session.ready || socket.readyState !== WebSocket.OPEN) throw new Disconnected();
    socket.send(encodeMessage(message));
    while (socket.bufferedAmount > MOST_BUFFERED) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (socket.readyState !== WebSocket.OPEN) throw new Disconnected();
    }
  }

  /**
   * An answer that will come.
   * @param {string} key the answer's type and what it names
   * @param {string[]} about what a refusal would name
   * @returns {Promise<Message>} rejects with BridgeError when it is refused, with Disconnected when it is lost
   */
  expect(key, about) {
    const answer = new Promise((/** @type {(message: Message) => void} */ resolve, reject) => {
      this.#waiting.add({ key, about, resolve, reject });
    });
    // Whoever asked may look at it late; it is no unhandled error until then.
    answer.catch(() => {});
    return answer;
  }

  /**
   * @param {Message} message
   * @param {string} key
   * @param {string[]} about
   */
  async ask(message, key, about) {
    const answer = this.expect(key, about);
    await this.send(message);
    return answer;
  }

  /**
   * Do something again until the connection holds.
   * @template T
   * @param {() => Promise<T>} attempt
   * @returns {Promise<T>}
   */
  async persist(attempt) {
    for (;;) {
      await this.whenOpen();
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Disconnected)) throw error;
      }
    }
  }

  /** @param {Message} received */
  #take(received) {
    const wasReady = this.#session.ready;
    const { message, reply, lost } = this.#session.receive(received);
    if (reply !== null) this.#socket?.send(encodeMessage(reply));
    if (received.type === "error") {
      const error = BridgeError.told(received);
      if (FINAL.includes(error.code)) return this.end(error);
      if (lost.length) this.listener.lost(lost, error);
    }
    if (message !== null) this.#deliver(message);
    if (this.#session.ready && !wasReady) {
      this.#pause = FIRST_PAUSE;
      this.listener.changed("open", null);
      this.#open();
    }
  }

  /** @param {Message} message */
  #deliver(message) {
    for (const waiting of [...this.#waiting]) {
      if (message.type === "error" && message.about !== "" && waiting.about.includes(message.about)) {
        this.#waiting.delete(waiting);
        waiting.reject(BridgeError.told(message));
        return;
      }
      if (waiting.key === answerKey(message)) {
        this.#waiting.delete(waiting);
        waiting.resolve(message);
        break;
      }
    }
    this.listener.received(message);
  }

  /** @param {WebSocket} socket */
  #broken(socket) {
    if (socket !== this.#socket || this.#ended !== null) return;
    this.#socket = null;
    this.#session.disconnected();
    this.#breakOff();
    this.listener.changed(this.#session.id === null ? "connecting" : "interrupted", null);
    setTimeout(() => this.#ended === null && this.open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  #breakOff() {
    for (const waiting of this.#waiting) waiting.reject(this.#ended ?? new Disconnected());
    this.#waiting.clear();
  }

  #open() {
    for (const resolve of this.#whenOpen.splice(0)) resolve();
  }
}

/** @param {Message} message */
function answerKey(message) {
  switch (message.type) {
    case "planned":
      return `planned ${message.request}`;
    case "stored":
      return `stored ${message.hash}`;
    case "put":
      return `put ${message.hash} ${message.offset}`;
    case "queued":
    case "failed":
    case "cancelled":
      return `job ${message.job}`;
    default:
      return message.type;
  }
}
