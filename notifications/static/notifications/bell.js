// @ts-check
"use strict";

/**
 * How many notifications are unread by now? The bell asks while its page is looked at,
 * and tells the desktop what is new, where the reader has allowed it.
 */

const EVERY = 5000;

/** @typedef {{title: string, body: string, url: string, id: number}} Notice */
/** @typedef {{unread: number, shown: string, newest: number, notices: Notice[]}} Answer */

/** @param {HTMLElement} bell @param {Answer} answer */
function show(bell, answer) {
    const count = bell.querySelector("[data-count]");
    if (count) count.textContent = answer.shown;
    const many = answer.unread ? `${answer.shown} unread` : "none unread";
    bell.setAttribute("aria-label", `Notifications, ${many}`);
    bell.dataset.unread = String(answer.unread);
    bell.dataset.newest = String(answer.newest);
}

/** @param {Notice} notice */
function tell(notice) {
    // Several open pages say it once: the same tag replaces what is there.
    const told = new Notification(notice.title, {
        body: notice.body,
        tag: `countersign-${notice.id}`,
    });
    told.onclick = () => {
        window.focus();
        window.location.assign(notice.url);
    };
}

/** @param {HTMLElement} bell */
async function ask(bell) {
    const { ask: address, unread, newest } = bell.dataset;
    const query = new URLSearchParams({ unread: unread ?? "", newest: newest ?? "" });
    const answer = await fetch(`${address}?${query}`, {
        headers: { Accept: "application/json" },
        redirect: "error",
    });
    if (answer.status !== 200) return;
    /** @type {Answer} */
    const said = await answer.json();
    show(bell, said);
    if ("Notification" in window && Notification.permission === "granted") {
        said.notices.forEach(tell);
    }
}

/** @param {HTMLElement} bell */
async function keepAsking(bell) {
    for (;;) {
        await new Promise((next) => setTimeout(next, EVERY));
        // Nobody looks, or the server is away: the next turn asks again.
        if (!document.hidden || bell.dataset.always !== undefined) {
            await ask(bell).catch(() => undefined);
        }
    }
}

/** @param {HTMLElement} button */
function offer(button) {
    if (!("Notification" in window) || Notification.permission !== "default") return;
    button.hidden = false;
    button.addEventListener("click", async () => {
        await Notification.requestPermission();
        button.hidden = true;
    });
}

document.addEventListener("DOMContentLoaded", () => {
    const bell = document.getElementById("bell");
    if (!bell) return;
    // Those who let the desktop tell them want to hear on another page, too.
    if ("Notification" in window && Notification.permission === "granted") {
        bell.dataset.always = "";
    }
    void keepAsking(bell);
    document.querySelectorAll("[data-offer-desktop]").forEach((button) => {
        if (button instanceof HTMLElement) offer(button);
    });
});
