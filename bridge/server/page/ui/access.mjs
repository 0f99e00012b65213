// The token: it comes in the address's fragment, which no server is sent, and stays in this tab.

import { byId, inputById } from "./dom.mjs";

// Of this page alone: a proxy may have other bridges in other folders.
const KEY = `paintbridge-token:${new URL(".", location.href).pathname}`;

/** @returns {Promise<string>} */
export async function findToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? askForToken();
}

/** @returns {Promise<string>} */
export function askForToken() {
  sessionStorage.removeItem(KEY);
  const dialog = /** @type {HTMLDialogElement} */ (byId("token-dialog"));
  const field = inputById("token");
  dialog.oncancel = (event) => event.preventDefault();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, field.value.trim());
      field.value = "";
      resolve(sessionStorage.getItem(KEY) ?? "");
    };
  });
}
