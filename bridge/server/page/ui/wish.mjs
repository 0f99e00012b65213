// The form: what the artist wants, in the terms of `plan` and `submit`.

import { byId, inputById, make } from "./dom.mjs";
import { offerLoras } from "./loras.mjs";
import { note } from "./notices.mjs";

/** @typedef {"fill" | "refine" | "generate" | "upscale"} Kind */
/** @typedef {{kind: Kind, words: string, context: string, planning: Record<string, unknown>, sending: Record<string, unknown>}} Wish */

/** @type {Record<Kind, {words: string, strength: number}>} */
const KINDS = {
  fill: { words: "Repaint what you have selected.", strength: 100 },
  refine: { words: "Repaint the selection, or everything, and keep its forms.", strength: 50 },
  generate: { words: "Paint a new picture, of the size of this one, as a layer over it.", strength: 100 },
  upscale: { words: "Enlarge the picture, with all its layers, and paint the detail that it then lacks.", strength: 30 },
};

/** @returns {Kind} */
const kind = () =>
  /** @type {Kind} */ (/** @type {HTMLInputElement} */ (document.querySelector("[name=kind]:checked")).value);

/** The form's fields are there before the bridge is; what it offers comes with its welcome. */
export function serveWish() {
  const strength = inputById("strength");
  const showStrength = () => (byId("strength-value").textContent = `${strength.value} %`);
  strength.oninput = showStrength;
  const showKind = () => {
    for (const field of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-kinds]"))) {
      field.hidden = !field.dataset.kinds?.split(" ").includes(kind());
    }
    byId("kind-words").textContent = KINDS[kind()].words;
    strength.value = String(KINDS[kind()].strength);
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

/** @returns {Wish} */
export function readWish() {
  const chosen = kind();
  const enlarging = chosen === "upscale";
  const shared = {
    kind: chosen,
    mode: chosen === "fill" ? inputById("mode").value : "auto",
    checkpoint: text("checkpoint"),
    grow: enlarging ? null : number("grow"),
    feather: enlarging ? null : number("feather"),
    scale: enlarging ? Number(inputById("scale").value) : 1,
  };
  const batch = enlarging ? 1 : (number("batch") ?? 1);
  return {
    kind: chosen,
    words: inputById("prompt").value.trim(),
    context: enlarging ? "auto" : inputById("context").value,
    planning: shared,
    sending: {
      ...shared,
      prompt: inputById("prompt").value.trim(),
      negative_prompt: inputById("negative_prompt").value.trim(),
      strength: chosen === "generate" ? 1 : inputById("strength").valueAsNumber / 100,
      seed: seed(),
      batch,
      steps: number("steps"),
      guidance: number("guidance"),
      sampler: text("sampler"),
      strict: !enlarging && inputById("strict").checked,
    },
  };
}

/** @param {string} id */
function text(id) {
  return inputById(id).value || null;
}

/** @param {string} id */
function number(id) {
  const value = inputById(id).valueAsNumber;
  return Number.isFinite(value) ? value : null;
}

/** Seeds reach beyond what a double holds. */
function seed() {
  const digits = inputById("seed").value.trim();
  if (!digits) return null;
  const value = BigInt(digits);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
