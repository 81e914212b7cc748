// @ts-check
// The field of a condition: completes names, and writes the one that was pressed.
// The names are the buttons below the field, which the server has put there.

/** @typedef {{ text: string, note: string }} Name */

const MOST = 8;
const LEAST = 2;
const BEGUN = /[A-Za-z_.][\w.]*$/;

class Field {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.area = /** @type {HTMLTextAreaElement} */ (box.querySelector("textarea"));
    this.list = /** @type {HTMLElement} */ (box.querySelector("[role=listbox]"));
    this.said = /** @type {HTMLElement} */ (box.querySelector("[data-said]"));
    this.verdict = /** @type {HTMLElement} */ (box.querySelector(".cx-verdict"));
    this.active = -1;
    this.area.addEventListener("input", () => this.typed());
    this.area.addEventListener("keydown", (event) => this.pressed(event));
    this.area.addEventListener("blur", () => this.show([]));
    // Before the field loses the focus.
    this.list.addEventListener("mousedown", (event) => this.picked(event));
    box.addEventListener("click", (event) => this.insert(event));
    box.addEventListener("htmx:afterSwap", () => this.judged());
  }

  /** @returns {string} what stands before the caret and may be the beginning of a name */
  get begun() {
    return BEGUN.exec(this.area.value.slice(0, this.area.selectionStart))?.[0] ?? "";
  }

  /** @returns {Name[]} */
  get names() {
    const buttons = /** @type {NodeListOf<HTMLElement>} */ (this.box.querySelectorAll("[data-insert]"));
    return [...buttons].map(({ dataset }) => ({ text: dataset.insert ?? "", note: dataset.note ?? "" }));
  }

  /** @param {string} begun @returns {Name[]} those that begin so, then those that hold it */
  fitting(begun) {
    const wanted = begun.toLowerCase();
    const held = this.names.filter(({ text }) => text !== begun && text.toLowerCase().includes(wanted));
    const begins = held.filter(({ text }) => text.toLowerCase().startsWith(wanted));
    return [...new Set([...begins, ...held])].slice(0, MOST);
  }

  typed() {
    this.verdict.classList.add("cx-stale");
    this.show(this.begun.length < LEAST ? [] : this.fitting(this.begun));
  }

  /** The server has said something about the condition, or sent other names. */
  judged() {
    this.verdict.classList.remove("cx-stale");
    this.area.setAttribute("aria-invalid", String(!!this.verdict.querySelector("[data-bad]")));
  }

  /** @param {Name[]} names */
  show(names) {
    this.list.replaceChildren(...names.map((name, place) => this.option(name, place)));
    this.list.hidden = names.length === 0;
    this.said.textContent = names.length ? `${names.length} names fit: arrow keys choose, Enter writes.` : "";
    this.choose(-1);
  }

  /** @param {Name} name @param {number} place */
  option(name, place) {
    const option = document.createElement("li");
    const note = document.createElement("span");
    note.textContent = name.note;
    option.id = `${this.list.id}_${place}`;
    option.role = "option";
    option.dataset.text = name.text;
    option.append(name.text, note);
    return option;
  }

  /** @param {number} place */
  choose(place) {
    this.active = place;
    const options = [...this.list.children];
    options.forEach((each, at) => each.setAttribute("aria-selected", String(at === place)));
    this.area.setAttribute("aria-activedescendant", options[place]?.id ?? "");
    options[place]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const count = this.list.children.length;
    const chosen = /** @type {HTMLElement | undefined} */ (this.list.children[this.active]);
    if (event.key === " " && event.ctrlKey) this.show(this.fitting(this.begun));
    else if (event.key === "ArrowDown" && count) this.choose((this.active + 1) % count);
    else if (event.key === "ArrowUp" && count) this.choose(this.active > 0 ? this.active - 1 : count - 1);
    else if (event.key === "Escape" && count) this.show([]);
    else if (["Enter", "Tab"].includes(event.key) && chosen) this.complete(chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {MouseEvent} event */
  picked(event) {
    const option = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
    event.preventDefault();
    if (option) this.complete(/** @type {HTMLElement} */ (option));
  }

  /** @param {HTMLElement} option */
  complete(option) {
    this.write(option.dataset.text ?? "", this.area.selectionStart - this.begun.length);
  }

  /** @param {MouseEvent} event */
  insert(event) {
    const button = /** @type {HTMLElement} */ (event.target).closest("[data-insert]");
    if (!(button instanceof HTMLElement)) return;
    this.area.focus();
    this.write(button.dataset.insert ?? "", this.area.selectionStart);
  }

  /** @param {string} text @param {number} from */
  write(text, from) {
    this.area.setRangeText(text, from, this.area.selectionEnd, "end");
    if (text.endsWith("()")) this.area.selectionEnd -= 1;
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
    this.show([]);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-condition]")) {
    new Field(/** @type {HTMLElement} */ (box));
  }
});
