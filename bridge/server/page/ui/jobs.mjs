// Jobs: from the request to the layers. Each that is under way has a row, a preview on the canvas, and a way out.

import { Preview } from "../canvas/preview.mjs";
import { crop } from "../picture/pixels.mjs";
import { JobCancelled } from "../wire/bridge.mjs";
import { BridgeError } from "../wire/messages.mjs";
import { byId, make, speak } from "./dom.mjs";
import { complain, note } from "./notices.mjs";
import { grouped } from "../wire/settings.mjs";

/** @typedef {import("../picture/studio.mjs").Studio} Studio */
/** @typedef {import("../canvas/view.mjs").View} View */
/** @typedef {import("../wire/bridge.mjs").Bridge} Bridge */
/** @typedef {import("../wire/messages.mjs").Message} Message */
/** @typedef {import("./form.mjs").JobRequest} JobRequest */

/** @type {Record<string, string>} */
const STAGES = {
  load: "Loading the checkpoint",
  infill: "Looking at the surroundings",
  encode: "Reading the picture",
  denoise: "Painting",
  decode: "Developing",
  compose: "Fitting it in",
  learn: "Learning",
  estimate: "Making the map",
};

/** @type {Record<import("./form.mjs").Kind, string>} what a job is called that has no prompt */
const UNNAMED = { fill: "Filled", refine: "Repainted", generate: "Generated", upscale: "Enlarged", estimate: "Mapped" };

/**
 * @param {Studio} studio
 * @param {View} view
 * @param {Bridge} bridge
 * @param {JobRequest} request
 * @param {(yes: boolean) => void} showMask
 */
export async function paint(studio, view, bridge, request, showMask) {
  const bounds = ["generate", "upscale"].includes(request.kind) ? null : studio.mask.bounds();
  if (bounds === null && request.kind === "fill") {
    return complain(new BridgeError("empty_selection", "Nothing is selected on the canvas.", "Paint over what should change, then try again."));
  }
  const id = crypto.randomUUID();
  const name = request.words || UNNAMED[request.kind];
  const row = jobRow(name, () => bridge.cancel(id));
  const opened = studio.base;
  /** @type {Preview | null} */
  let preview = null;
  try {
    const { width, height } = studio.bounds;
    const canvas = { width, height };
    const settings = grouped(request.settings);
    const planned = await bridge.plan({ settings, canvas, selection: bounds, context: { kind: request.context } });
    const { context } = planned;
    const size = { width: context.width, height: context.height };
    /** @type {Record<string, import("../wire/bridge.mjs").Pixels>} */
    const pictures = {};
    if (request.kind !== "generate") pictures.picture = { bytes: crop(studio.composed.data, width, context, 4), ...size, channels: 4 };
    if (bounds !== null) pictures.selection = { bytes: crop(studio.mask.data, width, context, 1), ...size, channels: 1 };
    preview = new Preview(context, bounds === null ? null : studio.mask);
    const shown = preview;
    const result = await bridge.paint(id, { settings, canvas, context }, pictures, request.conditions, (message) => {
      if (message.type === "preview") {
        // The selection would lie over what is being painted in it.
        if (!view.previews.has(shown)) showMask(false);
        shown.show(/** @type {any} */ (message));
        view.previews.add(shown);
        view.drawOverlay();
      } else {
        row.tell(message);
      }
    });
    if (studio.base !== opened) return;
    if (request.kind === "upscale") enlarge(studio, result.layers[0]);
    else add(studio, id, name, result.layers);
    showMask(false);
    result.hints.forEach(note);
  } catch (error) {
    if (error instanceof JobCancelled) speak("Cancelled.");
    else complain(error);
  } finally {
    if (preview !== null) view.previews.delete(preview);
    view.drawOverlay();
    row.remove();
  }
}

/**
 * @param {Studio} studio
 * @param {string} job
 * @param {string} name
 * @param {import("../wire/bridge.mjs").ResultLayer[]} layers
 */
function add(studio, job, name, layers) {
  studio.add(job, name, layers);
  byId("layers").scrollIntoView({ block: "nearest" });
  speak(layers.length > 1 ? `Done: ${layers.length} layers.` : "Done: one layer.");
}

/**
 * @param {Studio} studio
 * @param {import("../wire/bridge.mjs").ResultLayer} layer all of the enlarged canvas
 */
function enlarge(studio, { width, height, data }) {
  studio.replace({ width, height, data });
  note(`The picture is ${width} by ${height} pixels now, its layers merged. Undo brings the smaller one back.`);
}

/**
 * @param {string} name
 * @param {() => void} cancel
 */
function jobRow(name, cancel) {
  const words = make("span", { className: "about numbers" }, "Sending");
  const progress = make("progress", { max: 1, ariaLabel: name });
  const stop = make("button", { type: "button", onclick: cancel }, "Cancel");
  const row = make("li", { className: "job" }, make("div", {}, make("div", { className: "name" }, name), words), stop, progress);
  const section = byId("jobs");
  section.querySelector("ul")?.append(row);
  section.hidden = false;
  // On a narrow screen it stands below the button.
  row.scrollIntoView({ block: "nearest" });
  let spoken = "";
  const say = (/** @type {string} */ text) => {
    if (text !== spoken) speak(text);
    spoken = text;
  };
  return {
    /** @param {Message} event */
    tell(event) {
      if (event.type === "queued") {
        const { position } = event;
        words.textContent = position === 0 ? "Next" : `Waiting, ${position} before it`;
        say(words.textContent);
      } else if (event.type === "progress") {
        progress.max = event.steps;
        progress.value = event.step;
        const left = event.seconds_left === null ? "" : ` · ${duration(event.seconds_left)} left`;
        const steps = event.steps > 1 ? ` · ${event.step} of ${event.steps}` : "";
        words.textContent = `${STAGES[event.stage] ?? event.stage}${steps}${left}`;
        say(STAGES[event.stage] ?? event.stage);
      }
    },
    remove() {
      row.remove();
      section.hidden = !section.querySelector("li");
    },
  };
}

/** @param {number} seconds */
function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
