// Checkpoints that could be here: what the bridge recommends, fetched and stopped, and how far that is.

import { BridgeError } from "../wire/messages.mjs";
import { byId, inputById, make, speak } from "./dom.mjs";
import { complain, note } from "./notices.mjs";

/** @typedef {import("../wire/messages.mjs").Message} Message */
/** @typedef {{name: string, family: string, inpaint: boolean, good_at: string, licence: string, download_bytes: number, memory_bytes: number, checkpoint?: string | null}} Recommended */
/** @typedef {{entry: Recommended, item: HTMLElement, button: HTMLButtonElement, words: HTMLElement, progress: HTMLProgressElement}} Row */

/**
 * @param {(type: "pull" | "stop", name: string) => void} send to the bridge
 */
export function openCheckpoints(send) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("checkpoints-dialog"));
  const more = byId("more");
  const list = byId("checkpoints-list");
  /** @type {Row[]} */
  let rows = [];
  /** @type {Message | null} the last `pulling`, until it has ended */
  let pulling = null;
  /** What was asked for here, and is chosen once it has come. */
  let wanted = "";
  /** @type {{name: string, words: string} | null} why the last pull failed */
  let trouble = null;
  more.onclick = () => dialog.showModal();

  const choose = (/** @type {string} */ checkpoint) => {
    const select = inputById("checkpoint");
    select.value = checkpoint;
    select.dispatchEvent(new Event("change"));
    dialog.close();
  };
  const press = (/** @type {Recommended} */ entry) => {
    if (entry.checkpoint) return choose(entry.checkpoint);
    if (pulling?.name === entry.name) return send("stop", entry.name);
    wanted = entry.name;
    trouble = null;
    send("pull", entry.name);
  };
  const show = () => {
    for (const { entry, button, words, progress } of rows) {
      const busy = pulling?.name === entry.name;
      button.textContent = entry.checkpoint ? "Choose" : busy ? "Stop" : "Fetch";
      button.ariaLabel = `${button.textContent} ${entry.name}`;
      button.disabled = pulling !== null && !busy && !entry.checkpoint;
      progress.hidden = !busy;
      words.textContent = trouble?.name === entry.name ? trouble.words : "";
      if (pulling === null || !busy) continue;
      words.textContent = pulling.total ? `${size(pulling.done)} of ${size(pulling.total)}` : "Asking the hub";
      if (pulling.total) [progress.max, progress.value] = [pulling.total, pulling.done];
      else progress.removeAttribute("value");
    }
    const share = pulling?.total ? ` ${Math.floor((100 * pulling.done) / pulling.total)} %` : "";
    more.textContent = pulling === null ? "Fetch others" : `Fetching${share}`;
  };

  return {
    /** @param {Message} lists `welcome` or `checkpoints` */
    offer({ type, recommended }) {
      // A pull that goes on is told after the welcome.
      if (type === "welcome") pulling = null;
      more.hidden = recommended.length === 0;
      rows = recommended.map((/** @type {Recommended} */ entry) => row(entry, () => press(entry)));
      list.replaceChildren(...rows.map(({ item }) => item));
      show();
    },

    /** @param {Message} message `pulling`, `pulled` or `unpulled` */
    follow(message) {
      const begun = pulling === null;
      const failed = message.type === "unpulled";
      pulling = message.type === "pulling" ? message : null;
      trouble = failed ? { name: message.name, words: `${message.message.text} ${message.hint.text}` } : null;
      show();
      if (message.type === "pulling") return begun && speak(`Fetching ${message.name}.`);
      const asked = wanted === message.name;
      if (asked) wanted = "";
      if (message.type === "pulled") {
        note(`${message.checkpoint} has arrived.`);
        if (asked) choose(message.checkpoint);
      } else if (dialog.open) {
        speak(trouble?.words ?? "");
      } else if (message.code !== "pull_stopped") {
        complain(BridgeError.told(message));
      }
    },
  };
}

/**
 * @param {Recommended} entry
 * @param {() => void} act
 * @returns {Row}
 */
function row(entry, act) {
  const button = make("button", { type: "button", className: "outlined", onclick: act });
  const words = make("p", { className: "numbers" });
  const progress = make("progress", { ariaLabel: `Fetching ${entry.name}` });
  const facts = [
    entry.inpaint ? `${entry.family}, made for filling` : entry.family,
    `${size(entry.download_bytes)} to fetch`,
    `wants ${Math.ceil(entry.memory_bytes / 2 ** 30)} GB of graphics memory`,
    `licence ${entry.licence}`,
  ];
  const told = make("div", {}, make("div", { className: "name" }, entry.name), make("p", {}, `Good at ${entry.good_at}.`));
  told.append(make("p", { className: "quiet" }, facts.join(" · ")), words);
  return { entry, item: make("li", {}, told, button, progress), button, words, progress };
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
