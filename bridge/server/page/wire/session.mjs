// What may follow what, on a client's side: docs/protocol.md, "What may follow what". No socket, no clock.

import { PROTOCOL_VERSION } from "./fields.mjs";
import { BridgeError } from "./messages.mjs";

/** @typedef {import("./messages.mjs").Message} Message */

export const JOB_EVENTS = ["queued", "started", "progress", "result", "failed", "cancelled"];
const ENDS = ["result", "failed", "cancelled"];

/** Greets, follows the jobs' events, drops those that come twice, and resumes after a lost connection. */
export class Session {
  /** @param {string} client name and version, for the bridge's log */
  constructor(client) {
    this.client = client;
    /** @type {"closed" | "greeting" | "resuming" | "open"} */
    this.phase = "closed";
    /** @type {string | null} */
    this.id = null;
    this.lastEvent = 0;
    /** Events of the earlier session that are still to come. */
    this.replaying = 0;
    /** @type {string | null} the session that the last welcome opened, while an earlier one is resumed */
    this.fresh = null;
    /** @type {Map<string, string>} the last event of every job that has not ended */
    this.jobs = new Map();
  }

  /**
   * A connection was opened: send this first.
   * @param {string} token
   * @returns {Message}
   */
  connect(token) {
    this.phase = "greeting";
    return { type: "hello", version: PROTOCOL_VERSION, client: this.client, token };
  }

  disconnected() {
    this.phase = "closed";
    this.replaying = 0;
  }

  /** Whether jobs may be sent: there is a session, and what was missed has been told. */
  get ready() {
    return this.phase === "open" && this.replaying === 0;
  }

  /** @param {string} job */
  submitted(job) {
    this.jobs.set(job, "submitted");
  }

  /**
   * Take what the bridge says.
   * @param {Message} message
   * @returns {{message: Message | null, reply: Message | null, lost: string[]}} null for an event that had come
   *   before; what must be sent at once; and jobs that the bridge has forgotten with the session.
   */
  receive(message) {
    const taken = { message: /** @type {Message | null} */ (message), reply: /** @type {Message | null} */ (null) };
    if (message.type === "error" && this.phase === "resuming" && message.about === this.id) {
      return { message: null, reply: null, lost: this.#beginAnew() };
    }
    if (message.type === "welcome") {
      taken.reply = this.#welcomed(message);
    } else if (message.type === "resumed") {
      if (this.phase !== "resuming") throw unexpected(message);
      this.phase = "open";
      this.replaying = message.replayed;
    } else if (JOB_EVENTS.includes(message.type)) {
      if (!this.#event(message)) taken.message = null;
    } else if (message.type === "preview" && !["started", "progress"].includes(this.jobs.get(message.job) ?? "")) {
      taken.message = null;
    }
    return { ...taken, lost: [] };
  }

  /** @param {Message} welcome */
  #welcomed(welcome) {
    if (this.phase !== "greeting") throw unexpected(welcome);
    if (this.id === null) {
      this.id = welcome.session;
      this.phase = "open";
      return null;
    }
    this.fresh = welcome.session;
    this.phase = "resuming";
    return { type: "resume", session: this.id, last_event: this.lastEvent };
  }

  /** The earlier session cannot be resumed, for whatever reason: the welcome's fresh one takes its place. */
  #beginAnew() {
    const lost = [...this.jobs.keys()];
    this.jobs.clear();
    this.id = this.fresh;
    this.lastEvent = 0;
    this.phase = "open";
    return lost;
  }

  /** @param {Message} event */
  #event(event) {
    if (event.event <= this.lastEvent) return false;
    if (this.phase !== "open" || event.event !== this.lastEvent + 1) throw unexpected(event);
    this.lastEvent = event.event;
    if (this.replaying) this.replaying -= 1;
    if (ENDS.includes(event.type)) this.jobs.delete(event.job);
    else this.jobs.set(event.job, event.type);
    return true;
  }
}

/** @param {Message} message */
function unexpected(message) {
  return new BridgeError("unexpected_message", `The bridge sent “${message.type}” out of order.`, "Load the page again.");
}
