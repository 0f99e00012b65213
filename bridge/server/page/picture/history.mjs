// What can be undone, within a budget of memory.

/** @typedef {{undo: () => void, redo: () => void, bytes: number}} Step */

const MOST_BYTES = 256 << 20;
const MOST_STEPS = 200;

export class History {
  /** @type {Step[]} */
  #done = [];
  /** @type {Step[]} */
  #undone = [];

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /**
   * Something was done.
   * @param {Step} step
   */
  add(step) {
    this.#done.push(step);
    this.#undone.length = 0;
    let bytes = this.#done.reduce((sum, { bytes }) => sum + bytes, 0);
    while (this.#done.length > 1 && (bytes > MOST_BYTES || this.#done.length > MOST_STEPS)) {
      bytes -= /** @type {Step} */ (this.#done.shift()).bytes;
    }
  }

  undo() {
    const step = this.#done.pop();
    if (step === undefined) return;
    this.#undone.push(step);
    step.undo();
  }

  redo() {
    const step = this.#undone.pop();
    if (step === undefined) return;
    this.#done.push(step);
    step.redo();
  }
}
