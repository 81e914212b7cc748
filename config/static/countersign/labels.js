// @ts-check
"use strict";

// Lists that can be searched get a field of their own, drawn by a library and without a
// name. Screen readers say the name of the list it belongs to.

const UNNAMED = ".select2-search__field:not([aria-label])";

/** @param {Element} field */
function nameLikeItsList(field) {
    const list = field.closest(".select2-container")?.previousElementSibling;
    const label = list && document.querySelector(`label[for="${CSS.escape(list.id)}"]`);
    const text = label?.textContent?.replace("*", "").trim();
    field.setAttribute("aria-label", text || "Search");
}

new MutationObserver(() => {
    document.querySelectorAll(UNNAMED).forEach(nameLikeItsList);
}).observe(document.documentElement, { childList: true, subtree: true });
