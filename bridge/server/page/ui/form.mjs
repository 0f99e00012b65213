// The form: what the artist wants. A field of a job's settings is read from the element of its name, and one that
// index.html has no element for gets a plain one under Advanced.

import { FIELDS, KINDS } from "../wire/fields.mjs";
import { byId, inputById, make } from "./dom.mjs";
import { offerLoras } from "./loras.mjs";
import { note } from "./notices.mjs";

/** @typedef {import("../wire/fields.mjs").Kind} Kind */
/** @typedef {import("../wire/fields.mjs").Field} Field */
/** @typedef {import("../wire/bridge.mjs").ConditionPixels} ConditionPixels */
/**
 * A job as the artist wants it: `settings` by their fields' names, `context` as the kind of choice.
 * @typedef {{kind: Kind, words: string, context: string, settings: Record<string, unknown>, conditions: ConditionPixels[]}} JobRequest
 */

/** @type {Record<Kind, string>} */
const KIND_WORDS = {
  fill: "Repaint what you have selected.",
  refine: "Repaint the selection, or everything, and keep its forms.",
  generate: "Paint a new picture, of the size of this one, as a layer over it.",
  upscale: "Enlarge the picture, with all its layers, and paint the detail that it then lacks.",
  estimate: "Make a map of the picture.",
};
// Where another strength than the bridge's own is what one mostly wants here.
/** @type {Partial<Record<Kind, number>>} */
const STRENGTHS = { refine: 0.5 };
// They have no widget: the kind is chosen above all others, and pictures are not picked by a field.
const WITHOUT_WIDGET = ["kind", ...FIELDS.filter((field) => field.type === "list").map((field) => field.name)];

/** @returns {Kind} */
const kind = () =>
  /** @type {Kind} */ (/** @type {HTMLInputElement} */ (document.querySelector("[name=kind]:checked")).value);

/** The form's fields are there before the bridge is; what it offers comes with its welcome. */
export function serveForm() {
  for (const field of FIELDS) {
    const known = WITHOUT_WIDGET.includes(field.name) || document.getElementById(field.name) !== null;
    if (!known) byId("advanced").append(plainWidget(field));
  }
  const strength = inputById("strength");
  const showStrength = () => (byId("strength-value").textContent = `${strength.value} %`);
  strength.oninput = showStrength;
  const showKind = () => {
    for (const field of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-kinds]"))) {
      field.hidden = !field.dataset.kinds?.split(" ").includes(kind());
    }
    byId("kind-words").textContent = KIND_WORDS[kind()];
    strength.value = String(Math.round(100 * (STRENGTHS[kind()] ?? KINDS[kind()].strength)));
    showStrength();
  };
  for (const radio of document.getElementsByName("kind")) radio.onchange = showKind;
  showKind();
  // What is wrong in there could not be shown where it is folded away.
  byId("advanced").addEventListener("invalid", () => byId("advanced").toggleAttribute("open", true), true);
}

/** @param {import("../wire/messages.mjs").Message} welcome */
export function offer(welcome) {
  const sampler = /** @type {HTMLSelectElement} */ (byId("sampler"));
  const earlier = sampler.value;
  sampler.replaceChildren(make("option", { value: "" }, "what suits the checkpoint"));
  sampler.append(...welcome.samplers.map((/** @type {string} */ name) => make("option", { value: name }, name)));
  if (welcome.samplers.includes(earlier)) sampler.value = earlier;
  inputById("batch").max = String(welcome.limits.batch);
  offerCheckpoints(welcome);
}

/**
 * Checkpoints come and go while the page is open.
 * @param {import("../wire/messages.mjs").Message} lists `welcome` or `checkpoints`
 */
export function offerCheckpoints({ checkpoints, loras }) {
  const checkpoint = /** @type {HTMLSelectElement} */ (byId("checkpoint"));
  const earlier = checkpoint.value;
  const names = checkpoints.map((/** @type {{name: string}} */ { name }) => name);
  checkpoint.replaceChildren(
    ...checkpoints.map((/** @type {{name: string, native_pixels: number}} */ { name, native_pixels }) => {
      const option = make("option", { value: name }, name);
      option.dataset.side = String(Math.floor(Math.sqrt(native_pixels) / 8) * 8);
      return option;
    }),
  );
  if (names.includes(earlier)) checkpoint.value = earlier;
  else if (earlier) note(`${earlier} is no longer among the checkpoints. ${checkpoint.value} is chosen now.`);

  const show = () => {
    const info = checkpoints.find((/** @type {{name: string}} */ { name }) => name === checkpoint.value);
    if (info === undefined) return;
    inputById("steps").placeholder = String(info.default_steps);
    inputById("guidance").placeholder = String(info.default_guidance);
    offerLoras(loras.filter((/** @type {{family: string}} */ { family }) => family === info.family));
    introduce(info);
  };
  checkpoint.onchange = show;
  show();
}

/** The side of a square that the chosen checkpoint paints at once; 0 for as long as none is known. */
export function suitingSide() {
  const checkpoint = /** @type {HTMLSelectElement} */ (byId("checkpoint"));
  return Number(checkpoint.selectedOptions[0]?.dataset.side ?? 0);
}

/**
 * What a demo checkpoint knows, to be picked.
 * @param {{name: string, demo: boolean, known_names?: string[]}} checkpoint
 */
function introduce({ name, demo, known_names: known = [] }) {
  const box = byId("known");
  const prompt = /** @type {HTMLTextAreaElement} */ (byId("prompt"));
  box.hidden = !demo;
  const picks = known.map((thing) =>
    make("button", { type: "button", onclick: () => ((prompt.value = withArticle(thing)), prompt.focus()) }, thing),
  );
  const grown = make("button", { type: "button", className: "link", onclick: () => byId("more").click() }, "Fetch a grown-up one");
  box.replaceChildren(make("p", {}, `${name} is a small checkpoint for trying out. It knows these by name:`), ...picks, grown);
}

/** @param {string} thing */
function withArticle(thing) {
  return `${/^[aeiou]/.test(thing) ? "an" : "a"} ${thing}`;
}

/**
 * A widget by a field's type and range alone.
 * @param {Field} field
 */
function plainWidget({ name, type, optional, default: usual, min, max, choices, kinds, doc }) {
  const title = make("span", {}, name[0].toUpperCase() + name.slice(1).replaceAll("_", " "));
  /** @type {HTMLElement} */
  let widget;
  if (choices !== undefined) {
    widget = make("select", { id: name }, ...choices.map((choice) => make("option", { value: choice }, choice)));
    /** @type {HTMLSelectElement} */ (widget).value = String(usual);
  } else if (type === "bool") {
    widget = make("input", { id: name, type: "checkbox", checked: usual === true });
  } else if (type === "int" || type === "float") {
    const limits = { min: min === undefined ? "" : String(min), max: max === undefined ? "" : String(max) };
    widget = make("input", { id: name, type: "number", step: type === "int" ? "1" : "any", ...limits });
    /** @type {HTMLInputElement} */ (widget).placeholder = optional ? "automatic" : String(usual);
  } else {
    widget = make("input", { id: name, type: "text", value: String(usual ?? ""), maxLength: max ?? -1 });
  }
  const label = make("label", { className: type === "bool" ? "check" : "field", title: doc });
  label.dataset.kinds = kinds.join(" ");
  label.append(...(type === "bool" ? [widget, title] : [title, widget]));
  return label;
}

/** @returns {JobRequest} */
export function readRequest() {
  const chosen = kind();
  /** @type {Record<string, unknown>} */
  const settings = { kind: chosen };
  for (const field of FIELDS) {
    if (WITHOUT_WIDGET.includes(field.name) || !offered(field, chosen)) continue;
    settings[field.name] = (READERS[field.name] ?? plainValue)(field);
  }
  const words = inputById("prompt").value.trim();
  const context = chosen === "upscale" ? "auto" : inputById("context").value;
  return { kind: chosen, words, context, settings, conditions: [] };
}

/**
 * Whether a field counts, and its element is shown.
 * @param {Field} field
 * @param {Kind} chosen
 */
function offered({ name, kinds }, chosen) {
  const shown = inputById(name).closest("label")?.dataset.kinds;
  return kinds.includes(chosen) && (shown === undefined || shown.split(" ").includes(chosen));
}

// How fields are read whose element shows something else than their value.
/** @type {Record<string, (field: Field) => unknown>} */
const READERS = {
  prompt: () => inputById("prompt").value.trim(),
  negative_prompt: () => inputById("negative_prompt").value.trim(),
  strength: () => inputById("strength").valueAsNumber / 100,
  scale: () => Number(inputById("scale").value),
  seed,
};

/** @param {Field} field */
function plainValue({ name, type, optional, default: usual }) {
  const element = inputById(name);
  if (type === "bool") return element.checked;
  if (type === "int" || type === "float") return Number.isFinite(element.valueAsNumber) ? element.valueAsNumber : usual;
  return element.value || (optional ? null : usual);
}

/** Seeds reach beyond what a double holds. */
function seed() {
  const digits = inputById("seed").value.trim();
  if (!digits) return null;
  const value = BigInt(digits);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
