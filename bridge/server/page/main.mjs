// The page's beginning: its parts, and how they hang together.

import { View } from "./canvas/view.mjs";
import { Studio } from "./picture/studio.mjs";
import { askForToken, findToken } from "./ui/access.mjs";
import { byId, inputById } from "./ui/dom.mjs";
import { paint } from "./ui/jobs.mjs";
import { serveLayers } from "./ui/layers.mjs";
import { complain } from "./ui/notices.mjs";
import { download, lookForPictures } from "./ui/opening.mjs";
import { openCheckpoints } from "./ui/checkpoints.mjs";
import { serveKeys, serveTools } from "./ui/toolbar.mjs";
import { offer, offerCheckpoints, readRequest, serveForm } from "./ui/form.mjs";
import { Bridge } from "./wire/bridge.mjs";
import { BridgeError } from "./wire/messages.mjs";

const studio = new Studio();
const canvas = (/** @type {string} */ id) => /** @type {HTMLCanvasElement} */ (byId(id));
const view = new View(studio, byId("easel"), canvas("picture"), canvas("overlay"));
const form = /** @type {HTMLFormElement} */ (byId("request"));
/** @type {Bridge | null} */
let bridge = null;
/** @type {string} where the models run, once known */
let device = "";

const choose = lookForPictures(studio);
const { show: showMask, nudge } = serveTools(studio, view);
serveForm();
serveLayers(studio);
const recommended = openCheckpoints((type, name) => bridge?.[type](name));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (bridge !== null && studio.base !== null) paint(studio, view, bridge, readRequest(), showMask);
});
studio.addEventListener("opened", () => (inputById("paint").disabled = false));

const press = (/** @type {string} */ id) => () => byId(id).click();
const pick = (/** @type {string} */ tool) => () =>
  /** @type {HTMLElement} */ (document.querySelector(`[name=tool][value=${tool}]`)).click();
serveKeys([
  { keys: "Ctrl O", words: "Open a picture", key: "o", command: true, act: choose },
  { keys: "Ctrl S", words: "Download it", key: "s", command: true, act: () => studio.base && download(studio) },
  { keys: "Ctrl ⏎", words: "Paint", key: "Enter", command: true, act: () => form.requestSubmit() },
  { keys: "Ctrl Z", words: "Undo", key: "z", command: true, act: () => studio.undo() },
  { keys: "Ctrl ⇧ Z", words: "Redo", key: "Z", command: true, act: () => studio.redo() },
  { keys: "B", words: "Brush", key: "b", act: pick("brush") },
  { keys: "R", words: "Rectangle", key: "r", act: pick("rectangle") },
  { keys: "L", words: "Lasso", key: "l", act: pick("lasso") },
  { keys: "E", words: "Erase", key: "e", act: press("erase") },
  { keys: "[", words: "Smaller brush", key: "[", act: () => nudge(-4) },
  { keys: "]", words: "Larger brush", key: "]", act: () => nudge(4) },
  { keys: "I", words: "Invert the selection", key: "i", act: press("invert") },
  { keys: "Delete", words: "Clear the selection", key: "Delete", act: press("clear") },
  { keys: "M", words: "Show the selection", key: "m", act: press("mask-shown") },
  { keys: "X", words: "Hold: see what was there before", key: "x", act: () => studio.showBefore(true), release: () => studio.showBefore(false) },
  { keys: "?", words: "This list", key: "?", act: press("keys-open") },
  { keys: "+", words: "Zoom in; so does the wheel", key: "+", act: press("zoom-in") },
  { keys: "−", words: "Zoom out", key: "-", act: press("zoom-out") },
  { keys: "0", words: "See the whole picture", key: "0", act: press("zoom-fit") },
]);

/** @param {string} state @param {string} words */
function showState(state, words) {
  byId("status").dataset.state = state;
  byId("status-words").textContent = words;
}

/** @param {string} token */
function connect(token) {
  // Beside the page, wherever that is: a proxy may have it in a folder.
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const made = new Bridge(url.href, token, "the page");
  const on = (/** @type {string} */ name, /** @type {(detail: any) => void} */ act) =>
    made.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
  on("welcome", (welcome) => {
    offer(welcome);
    recommended.offer(welcome);
    device = welcome.device === null ? device : describe(welcome.device);
  });
  on("checkpoints", (lists) => {
    offerCheckpoints(lists);
    recommended.offer(lists);
  });
  for (const news of ["pulling", "pulled", "unpulled"]) on(news, recommended.follow);
  on("device", (message) => {
    device = describe(message.device);
    showState("open", device);
  });
  on("refused", (message) => complain(BridgeError.told(message)));
  on("state", ({ state, error }) => {
    if (state === "open") showState("open", device || "Connected");
    else if (state === "closed") showState("closed", "Not connected");
    else showState(state, state === "interrupted" ? "Connecting again" : "Connecting");
    if (error === null) return;
    complain(error);
    if (error.code === "unauthorized") askForToken().then(connect);
  });
  bridge = made;
  made.connection.open();
}

/** @param {{kind: string, name: string, precision: string}} where */
function describe({ kind, name, precision }) {
  return `${kind === "cpu" ? "CPU" : name} · ${precision}`;
}

connect(await findToken());
