// What the artist should know: errors stay until they are closed, notes go by themselves.

import { BridgeError } from "../wire/messages.mjs";
import { byId, iconButton, make } from "./dom.mjs";

const NOTE_MILLISECONDS = 9000;

/** @param {string} words */
export function note(words) {
  const notice = show("note", words, "");
  setTimeout(() => notice.remove(), NOTE_MILLISECONDS);
}

/** @param {unknown} error */
export function complain(error) {
  if (error instanceof BridgeError) show("error", error.message, error.hint);
  else show("error", error instanceof Error ? error.message : String(error), "");
}

/**
 * @param {"note" | "error"} kind
 * @param {string} words
 * @param {string} hint
 */
function show(kind, words, hint) {
  const all = byId("notices");
  // Said again, it is said once.
  for (const notice of all.querySelectorAll(".notice")) {
    if (notice.querySelector("p")?.textContent === words) notice.remove();
  }
  const notice = make("div", { className: `notice ${kind}`, role: kind === "error" ? "alert" : "status" });
  notice.append(make("p", {}, words), iconButton("remove", "Close", () => notice.remove()));
  if (hint) notice.append(make("p", { className: "hint" }, hint));
  all.append(notice);
  return notice;
}
