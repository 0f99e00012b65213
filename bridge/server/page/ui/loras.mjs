// LoRAs: those that go with the checkpoint, put into the prompt as docs/prompts.md writes them.

import { byId, inputById, make } from "./dom.mjs";

/** @typedef {{name: string, family: string, trigger_words?: string[]}} Lora */

/** @param {Lora[]} loras those of the chosen checkpoint's family */
export function offerLoras(loras) {
  const select = /** @type {HTMLSelectElement} */ (byId("lora"));
  byId("loras").hidden = loras.length === 0;
  const named = loras.map(({ name, trigger_words: words = [] }) =>
    make("option", { value: name }, words.length ? `${name} (${words.join(", ")})` : name),
  );
  select.replaceChildren(make("option", { value: "" }, "Add one to the prompt"), ...named);
  select.onchange = () => {
    const chosen = loras.find(({ name }) => name === select.value);
    select.value = "";
    if (chosen !== undefined) add(chosen);
  };
}

/**
 * At the prompt's end, after the first of its trigger words where none is there yet.
 * @param {Lora} lora
 */
function add({ name, trigger_words: words = [] }) {
  const prompt = inputById("prompt");
  const said = prompt.value.toLowerCase();
  const trigger = words.some((word) => said.includes(word.toLowerCase())) ? [] : words.slice(0, 1);
  const before = [prompt.value.trim(), ...trigger].filter(Boolean).join(", ");
  prompt.value = `${before} <lora:${name}:1>`.trim();
  prompt.focus();
}
