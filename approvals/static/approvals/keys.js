// @ts-check
/**
 * What does a key do on this page?
 *
 * The page says so itself. An element names its key in `aria-keyshortcuts`: a button or
 * a link is clicked, a field gets the cursor. `data-keys="g i"` names two keys in a row.
 * Elements with `data-pk` are the rows of a list. `<dialog id="keys">` explains it all,
 * and holds the switch that turns single keys off.
 */

const SWITCH = "countersign.keys";
/** A key that was pressed twice must not decide on the next request as well. */
const DEAF_MS = 600;
/** How long the second of two keys may take. */
const SEQUENCE_MS = 1500;
const MODIFIERS = /** @type {const} */ (["ctrlKey", "metaKey", "altKey"]);
const FIELDS = "textarea, select, input:not([type=checkbox], [type=radio])";
/** @type {Record<string, number>} */
const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

const root = document.documentElement;
/** The row to go on from, should the one in focus have gone. */
let place = 0;
let first = { key: "", at: 0 };

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll("[data-pk]")].map(asHtml);

/** @param {Element} element */
const asHtml = (element) => /** @type {HTMLElement} */ (element);

/** Where the browser keeps nothing, the keys are on. */
function isOff() {
  try {
    return localStorage.getItem(SWITCH) === "off";
  } catch {
    return false;
  }
}

/** @param {boolean} on */
function remember(on) {
  try {
    localStorage.setItem(SWITCH, on ? "on" : "off");
  } catch {
    // It holds for this page alone, then.
  }
}

/**
 * Return what names this key, can be seen and is not switched off.
 * @param {string} key
 */
function named(key) {
  return [...document.querySelectorAll("[aria-keyshortcuts]")]
    .filter((each) => each.getAttribute("aria-keyshortcuts")?.split(" ").includes(key))
    .map(asHtml)
    .find((each) => each.checkVisibility() && !each.matches(":disabled"));
}

/**
 * @param {HTMLElement} element
 * @returns {boolean} whether it did anything
 */
function use(element) {
  if (element.matches(FIELDS)) {
    element.focus();
    return true;
  }
  if (element.matches("button") && !root.dataset.keys) {
    return false;
  }
  element.click();
  return true;
}

const row = () => asHtml(document.activeElement ?? root).closest("[data-pk]");

/**
 * Go to the next row or the one before.
 * @param {number} by
 */
function step(by) {
  const all = rows();
  const here = all.findIndex((each) => each === row());
  const next = here < 0 ? place : here + by;
  place = Math.max(0, Math.min(next, all.length - 1));
  all[place].querySelector("a")?.focus();
}

/**
 * @param {string} key
 * @returns {boolean} whether it means anything in a list
 */
function inList(key) {
  if (key in STEPS && rows().length) {
    step(STEPS[key]);
    return true;
  }
  const wanted = { o: "a", x: "[name=pick]" }[key];
  const found = wanted && row()?.querySelector(wanted);
  if (found) {
    asHtml(found).click();
  }
  return Boolean(found);
}

/**
 * @param {string} key
 * @param {number} at
 * @returns {boolean} whether it is the second of two
 */
function inSequence(key, at) {
  const wanted = at - first.at < SEQUENCE_MS ? `${first.key} ${key}` : "";
  const found = wanted && document.querySelector(`[data-keys="${CSS.escape(wanted)}"]`);
  first = { key, at };
  if (found) {
    asHtml(found).click();
  }
  return Boolean(found);
}

/** @returns {HTMLDialogElement | null} */
const help = () => document.querySelector("dialog#keys");

/** Show the keys, as they are now. */
function explain() {
  const dialog = help();
  const on = dialog?.querySelector("[data-keys-switch]");
  if (on instanceof HTMLInputElement) {
    on.checked = !isOff();
  }
  dialog?.showModal();
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = asHtml(event.target instanceof Element ? event.target : root);
  const typing = target.isContentEditable || target.matches(FIELDS);
  if (event.key === "Escape" && typing) {
    target.blur();
  }
  if (typing || event.defaultPrevented || MODIFIERS.some((each) => event[each])) {
    return;
  }
  if (isOff()) {
    // The admin's own search listens further out, for "/".
    event.stopPropagation();
    return;
  }
  if (document.querySelector("dialog[open]")) {
    return;
  }
  // Held down, a key may go through a list, and do nothing else.
  if (event.repeat && !(event.key in STEPS)) {
    return;
  }
  if (answer(event.key, event.timeStamp)) {
    event.preventDefault();
  }
}

/**
 * @param {string} key
 * @param {number} at
 */
function answer(key, at) {
  if (inSequence(key, at) || inList(key)) {
    return true;
  }
  const found = named(key);
  return Boolean(found) && use(asHtml(/** @type {Element} */ (found)));
}

/** Say how many are picked, wherever that is said. */
function count() {
  const picked = document.querySelectorAll("[name=pick]:checked").length;
  for (const each of document.querySelectorAll("[data-picked]")) {
    each.textContent = picked ? String(picked) : "these";
  }
}

/** @param {Event} event */
function changed(event) {
  const target = event.target;
  if (target instanceof HTMLInputElement && target.matches("[data-keys-switch]")) {
    remember(target.checked);
  }
  count();
}

for (const button of document.querySelectorAll("[data-opens-keys]")) {
  asHtml(button).hidden = false;
  button.addEventListener("click", explain);
}
document.addEventListener("keydown", pressed);
document.addEventListener("change", changed);
document.addEventListener("htmx:afterSettle", count);
count();
setTimeout(() => {
  root.dataset.keys = "ready";
}, DEAF_MS);
