// The bridge as the page uses it: plan, paint, cancel.

import { Connection } from "./connection.mjs";
import { sha256 } from "./hash.mjs";
import { BridgeError, CHUNK_BYTES } from "./messages.mjs";
import { JOB_EVENTS } from "./session.mjs";

/** @typedef {import("./messages.mjs").Message} Message */
/** @typedef {{bytes: Uint8ClampedArray<ArrayBuffer> | Uint8Array<ArrayBuffer>, width: number, height: number, channels: number}} Pixels */
/** @typedef {{kind: string, picture: Pixels, mask?: Pixels, strength?: number, start?: number, end?: number, controlnet?: string}} ConditionPixels */
/** @typedef {{x: number, y: number, width: number, height: number, data: Uint8ClampedArray<ArrayBuffer>, recipe: any}} ResultLayer */
/** @typedef {{layers: ResultLayer[], hints: string[]}} JobResult */

const PARTS_IN_FLIGHT = 8;

/** The job was cancelled, and has no result. */
export class JobCancelled extends Error {}

/**
 * @typedef {object} Entry
 * @property {(message: Message) => void} tell
 * @property {(result: JobResult) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {boolean} sent
 * @property {boolean} heard whether an event of it has come
 * @property {boolean} cancelled
 */

/**
 * Events: `state` ({state, error}), `welcome`, `device`, `checkpoints`, `pulling`, `pulled`, `unpulled`, `refused` (an
 * error that no job is told of).
 */
export class Bridge extends EventTarget {
  /** @type {Map<string, Entry>} */
  #jobs = new Map();
  #requests = 0;
  /** @type {Promise<unknown>} one upload at a time: `wanted` does not say which `offer` it answers */
  #uploading = Promise.resolve();
  /** @type {Set<number>} results whose pictures are being fetched */
  #held = new Set();

  /**
   * @param {string} url
   * @param {string} token
   * @param {string} client
   */
  constructor(url, token, client) {
    super();
    this.connection = new Connection(url, token, client, {
      changed: (state, error) => this.#changed(state, error),
      received: (message) => this.#received(message),
      lost: (jobs, error) => this.#lost(jobs, error),
    });
  }

  /**
   * A job's context rectangle, and what else the bridge has planned.
   * @param {Record<string, unknown>} fields
   * @returns {Promise<Message>}
   */
  plan(fields) {
    const request = ++this.#requests;
    const ask = () =>
      this.connection.ask({ type: "plan", request, ...fields }, `planned ${request}`, [String(request)]);
    return this.connection.persist(ask);
  }

  /**
   * Have something painted.
   * @param {string} job its name
   * @param {Record<string, unknown>} fields those of `submit`, but for its pictures
   * @param {Record<string, Pixels>} pictures by the field of `submit` that names them
   * @param {ConditionPixels[]} conditions
   * @param {(message: Message) => void} tell its events and previews
   * @returns {Promise<JobResult>} rejects with BridgeError or JobCancelled
   */
  paint(job, fields, pictures, conditions, tell) {
    return new Promise((resolve, reject) => {
      this.#jobs.set(job, { tell, resolve, reject, sent: false, heard: false, cancelled: false });
      this.#send(job, fields, pictures, conditions).catch((error) => this.#end(job, (entry) => entry.reject(error)));
    });
  }

  /** @param {string} job */
  cancel(job) {
    const entry = this.#jobs.get(job);
    if (entry === undefined) return;
    entry.cancelled = true;
    if (entry.sent) this.connection.post({ type: "cancel", job });
    else this.#end(job, () => entry.reject(new JobCancelled()));
  }

  /**
   * Have a recommended checkpoint fetched; how far it is comes as events.
   * @param {string} name
   */
  pull(name) {
    this.#tell({ type: "pull", name });
  }

  /** @param {string} name of the checkpoint that is being fetched */
  stop(name) {
    this.#tell({ type: "stop", name });
  }

  /** @param {Message} message to be sent once the connection holds */
  #tell(message) {
    this.connection.persist(() => this.connection.send(message)).catch(() => {});
  }

  /**
   * @param {string} job
   * @param {Record<string, unknown>} fields
   * @param {Record<string, Pixels>} pictures
   * @param {ConditionPixels[]} conditions
   */
  async #send(job, fields, pictures, conditions) {
    /** @type {Map<string, Uint8Array<ArrayBuffer>>} */
    const bytes = new Map();
    /** @type {Message} */
    const submit = { type: "submit", job, ...fields };
    /** @type {Message[]} */
    const offered = [];
    const describe = async (/** @type {Pixels} */ pixels) => {
      const view = new Uint8Array(pixels.bytes.buffer, pixels.bytes.byteOffset, pixels.bytes.byteLength);
      const { width, height, channels } = pixels;
      const hash = await sha256(view);
      bytes.set(hash, view);
      const described = { hash, byte_count: view.length, width, height, channels };
      offered.push(/** @type {any} */ (described));
      return described;
    };
    for (const [field, pixels] of Object.entries(pictures)) submit[field] = await describe(pixels);
    if (conditions.length) {
      const sent = [];
      for (const { picture, mask, ...rest } of conditions) {
        sent.push({ ...rest, picture: await describe(picture), ...(mask && { mask: await describe(mask) }) });
      }
      submit.settings = { ...submit.settings, conditioning: { ...submit.settings?.conditioning, conditions: sent } };
    }
    const turn = this.#uploading.then(() => this.connection.persist(() => this.#attempt(submit, offered, bytes)));
    this.#uploading = turn.catch(() => {});
    await turn;
  }

  /**
   * One attempt to bring a job to the bridge; what became of an earlier one has been learnt by now.
   * @param {Message} submit
   * @param {Message[]} offered
   * @param {Map<string, Uint8Array<ArrayBuffer>>} bytes
   */
  async #attempt(submit, offered, bytes) {
    const entry = this.#jobs.get(submit.job);
    if (entry === undefined || entry.heard || entry.cancelled) return;
    if (offered.length) await this.#upload(offered, bytes);
    if (entry.cancelled) return;
    entry.sent = true;
    this.connection.session.submitted(submit.job);
    await this.connection.ask(submit, `job ${submit.job}`, [submit.job]);
  }

  /**
   * @param {Message[]} offered
   * @param {Map<string, Uint8Array<ArrayBuffer>>} bytes
   */
  async #upload(offered, bytes) {
    const names = [...bytes.keys()];
    const { hashes } = await this.connection.ask({ type: "offer", pictures: offered }, "wanted", names);
    const stored = hashes.map((/** @type {string} */ hash) => this.connection.expect(`stored ${hash}`, [hash]));
    for (const hash of hashes) {
      const data = /** @type {Uint8Array<ArrayBuffer>} */ (bytes.get(hash));
      for (let offset = 0; offset < data.length; offset += CHUNK_BYTES) {
        await this.connection.send({ type: "put", hash, offset, data: data.subarray(offset, offset + CHUNK_BYTES) });
      }
    }
    await Promise.all(stored);
  }

  /** @param {Message} picture */
  async #download(picture) {
    const whole = new Uint8Array(picture.byte_count);
    let next = 0;
    const fetchParts = async () => {
      while (next < whole.length) {
        const offset = next;
        next += CHUNK_BYTES;
        const get = { type: "get", hash: picture.hash, offset };
        const key = `put ${picture.hash} ${offset}`;
        const part = await this.connection.persist(() => this.connection.ask(get, key, [picture.hash]));
        whole.set(part.data, offset);
      }
    };
    await Promise.all(Array.from({ length: PARTS_IN_FLIGHT }, fetchParts));
    if ((await sha256(whole)) !== picture.hash) {
      throw new BridgeError("picture_mismatch", "The picture arrived damaged.", "Send the job again.");
    }
    return new Uint8ClampedArray(whole.buffer);
  }

  /** @param {Message} result */
  async #finish(result) {
    try {
      /** @type {ResultLayer[]} */
      const layers = [];
      for (const { x, y, picture, recipe } of result.layers) {
        const { width, height } = picture;
        layers.push({ x, y, width, height, data: await this.#download(picture), recipe });
      }
      this.#end(result.job, (entry) => entry.resolve({ layers, hints: result.hints.map((/** @type {{text: string}} */ hint) => hint.text) }));
    } catch (error) {
      this.#end(result.job, (entry) => entry.reject(/** @type {Error} */ (error)));
    }
    this.#held.delete(result.event);
    this.#acknowledge();
  }

  /** @param {Message} message */
  #received(message) {
    const entry = this.#jobs.get(message.job ?? message.about);
    if (JOB_EVENTS.includes(message.type)) {
      if (entry !== undefined) entry.heard = true;
      entry?.tell(message);
      if (message.type === "result" && entry !== undefined) {
        this.#held.add(message.event);
        this.#finish(message);
      } else if (message.type === "failed") {
        this.#end(message.job, () => entry?.reject(BridgeError.told(message)));
      } else if (message.type === "cancelled") {
        this.#end(message.job, () => entry?.reject(new JobCancelled()));
      }
      this.#acknowledge();
    } else if (message.type === "preview") {
      entry?.tell(message);
    } else if (message.type === "error") {
      // A job that was cancelled on its way to the bridge never arrived there; one that has ended needs no cancelling.
      if (message.code === "job_unknown") this.#end(message.about, () => entry?.reject(new JobCancelled()));
      else this.#say("refused", message);
    } else {
      this.#say(message.type, message);
    }
  }

  #acknowledge() {
    const event = this.#held.size ? Math.min(...this.#held) - 1 : this.connection.session.lastEvent;
    if (event > 0) this.connection.post({ type: "ack", event });
  }

  /**
   * @param {string} state
   * @param {BridgeError | null} error
   */
  #changed(state, error) {
    if (error !== null) {
      for (const job of [...this.#jobs.keys()]) this.#end(job, (entry) => entry.reject(error));
    } else if (state === "open") {
      this.#acknowledge();
      for (const [job, entry] of this.#jobs) {
        if (entry.cancelled) this.connection.post({ type: "cancel", job });
      }
    }
    this.#say("state", { state, error });
  }

  /**
   * @param {string[]} jobs
   * @param {BridgeError} error
   */
  #lost(jobs, error) {
    this.#held.clear();
    for (const job of jobs) this.#end(job, (entry) => entry.reject(entry.cancelled ? new JobCancelled() : error));
  }

  /**
   * @param {string} job
   * @param {(entry: Entry) => void} how
   */
  #end(job, how) {
    const entry = this.#jobs.get(job);
    if (entry === undefined) return;
    this.#jobs.delete(job);
    how(entry);
  }

  /** @param {string} name @param {object} detail */
  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
