// @ts-check
/**
 * Puts the reason that was chosen into the comment. Once the comment is rewritten, the
 * choice is forgotten: the server would add it otherwise, as it does without scripts.
 */
const choice = /** @type {HTMLSelectElement | null} */ (
    document.getElementById("id_preset")
);
const comment = /** @type {HTMLTextAreaElement | null} */ (
    document.getElementById("id_comment")
);

if (choice && comment) {
    const chosen = () => choice.selectedOptions[0]?.text.trim() ?? "";

    choice.addEventListener("change", () => {
        if (!choice.value) return;
        comment.value = chosen();
        comment.focus();
    });
    comment.addEventListener("input", () => {
        if (choice.value && !comment.value.includes(chosen())) choice.value = "";
    });
}
