/** A bar of a chart leads to the rows behind it. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {MouseEvent} event
 * @returns {string} where the bar under the pointer leads; empty if nowhere
 */
function linkAt(canvas, event) {
    const chart = window.Chart.getChart(canvas);
    const [found] = chart?.getElementsAtEventForMode(event, "nearest", { intersect: true }, false) ?? [];
    return found ? (chart.data.datasets[found.datasetIndex].links?.[found.index] ?? "") : "";
}

for (const canvas of /** @type {NodeListOf<HTMLCanvasElement>} */ (document.querySelectorAll(".db-canvas canvas"))) {
    canvas.addEventListener("click", (event) => {
        const link = linkAt(canvas, event);
        if (link) window.location.assign(link);
    });
    canvas.addEventListener("mousemove", (event) => {
        canvas.style.cursor = linkAt(canvas, event) ? "pointer" : "default";
    });
}
