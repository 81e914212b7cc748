// @ts-check
/**
 * How does the queue take in what has changed without losing the reader's place?
 *
 * The page asks again and again; whatever comes back replaces the list row by row. A row
 * that says what it said before stays the very same element, with the cursor in it.
 * Others take over what was ticked. When nobody answers, one quiet line says so.
 */

const POLL = "queue-live";
const LINE = "queue-line";
const LOST = "Connection lost. This list is not up to date; trying again…";

/** What each row said when the server sent it: pages may mark rows later. */
/** @type {WeakMap<Element, string>} */
const sent = new WeakMap();

/** @param {Element | DocumentFragment} list */
const rowsIn = (list) => [...list.querySelectorAll("tr[data-pk]")].map(asRow);

/** @param {Element} row */
const asRow = (row) => /** @type {HTMLElement} */ (row);

/** @param {Element} row */
const ticked = (row) => row.querySelector("input:checked") !== null;

/**
 * Let a row that has changed look as the reader has left it.
 * @param {HTMLElement} now
 * @param {HTMLElement} before
 */
function takeOver(now, before) {
  const box = now.querySelector("input[type=checkbox]");
  if (box instanceof HTMLInputElement) box.checked = ticked(before);
}

/**
 * Make the rows of one body those of another, and return the new elements.
 * @param {Element} body
 * @param {Element} wanted
 */
function merge(body, wanted) {
  const known = new Map(rowsIn(body).map((row) => [row.dataset.pk, row]));
  const next = rowsIn(wanted).map((row) => kept(row, known.get(row.dataset.pk)));
  const staying = new Set(next);
  for (const row of rowsIn(body)) if (!staying.has(row)) row.remove();
  let at = body.firstElementChild;
  for (const row of next) {
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
  return next.filter((row) => known.get(row.dataset.pk) !== row);
}

/**
 * Return the row to show: the one that is there if nothing about it has changed.
 * @param {HTMLElement} row
 * @param {HTMLElement | undefined} before
 */
function kept(row, before) {
  sent.set(row, row.innerHTML);
  if (!before) {
    row.classList.add("cs-fresh");
    return row;
  }
  if (sent.get(before) === row.innerHTML) return before;
  takeOver(row, before);
  return row;
}

/**
 * Put the cursor back where it was, or on the row that has taken the place.
 * @param {Element | null} focused
 * @param {number} place
 */
function refocus(focused, place) {
  if (!focused || focused.isConnected || place < 0) return;
  const rows = rowsIn(document);
  const same = focused.id ? document.getElementById(focused.id) : null;
  const row = rows[Math.min(place, rows.length - 1)];
  const next = same ?? row?.querySelector("a");
  next?.focus({ preventScroll: true });
}

/**
 * @param {HTMLElement} target
 * @param {DocumentFragment} fragment
 */
function update(target, fragment) {
  const focused = document.activeElement;
  const place = rowsIn(target).findIndex((row) => row.contains(focused));
  const [body, wanted] = [target.querySelector("tbody"), fragment.querySelector("tbody")];
  /** @type {Element[]} */
  let made = [...fragment.children];
  if (body && wanted) {
    made = merge(body, wanted);
    const pages = [target, fragment].map((each) => each.querySelector("#queue-pages"));
    if (pages[0] && pages[1]) pages[0].replaceWith(pages[1]);
  } else {
    for (const row of rowsIn(fragment)) sent.set(row, row.innerHTML);
    target.replaceChildren(...fragment.childNodes);
  }
  refocus(focused, place);
  // Whoever counts what is ticked counts again.
  target.dispatchEvent(new Event("change", { bubbles: true }));
  return made;
}

/** @param {string} text */
function say(text) {
  const line = document.getElementById(LINE);
  if (line && line.textContent !== text) line.textContent = text;
}

/** @param {Event} event */
const isPoll = (event) =>
  /** @type {CustomEvent} */ (event).detail?.elt?.id === POLL;

for (const row of rowsIn(document)) sent.set(row, row.innerHTML);

// @ts-expect-error htmx comes with unfold, without types.
window.htmx.defineExtension("keyed", {
  /**
   * @param {string} style
   * @param {HTMLElement} target
   * @param {DocumentFragment} fragment
   */
  handleSwap: (style, target, fragment) =>
    style === "keyed" && update(target, fragment),
});

for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(name, (event) => isPoll(event) && say(LOST));
}
document.addEventListener("htmx:afterOnLoad", (event) => {
  const { elt, xhr } = /** @type {CustomEvent} */ (event).detail;
  if (elt.id === POLL && (xhr.status === 200 || xhr.status === 204)) say("");
});
